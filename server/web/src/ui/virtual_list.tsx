import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { scrollTo, windowOf } from '../samples/window';

const kRowHeight = 52; // as .virtual-row in samples.css
const kFirstHeight = 480;

interface Props<T> {
  id: string;
  label: string;
  items: T[];
  keyOf: (item: T) => string;
  chosen: string; // key
  onChoose: (key: string) => void;
  row: (item: T) => ComponentChildren; // text only: rows are options of a list box
}

/** Row to go to on a key press; null for keys that do not move. */
function target(key: string, at: number, count: number, page: number): number | null {
  const to: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: count - 1,
  };
  const row = to[key];
  return row === undefined ? null : Math.max(0, Math.min(count - 1, row));
}

/** Which part of the box is seen; keeps row `at` in it. */
function useView(box: RefObject<HTMLDivElement | null>, at: number, count: number) {
  const [view, setView] = useState({ top: 0, height: kFirstHeight });
  const look = () => {
    const { scrollTop: top, clientHeight: height } = box.current!;
    setView((old) => (old.top === top && old.height === height ? old : { top, height }));
  };
  useEffect(() => {
    const element = box.current!;
    if (at >= 0)
      element.scrollTop = scrollTo(at, element.scrollTop, element.clientHeight, kRowHeight);
    look();
  }, [at, count]);
  return { ...view, look };
}

/** A list box of rows of one height that draws only those in view; arrows, Page, Home and End move. */
export function VirtualList<T>({ id, label, items, keyOf, chosen, onChoose, row }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const at = items.findIndex((item) => keyOf(item) === chosen);
  const view = useView(box, at, items.length);
  const move = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view.height / kRowHeight) - 1);
    const to = target(event.key, at, items.length, page);
    const item = to === null ? undefined : items[to];
    if (item === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onChoose(keyOf(item));
  };
  const { first, end } = windowOf(view.top, view.height, kRowHeight, items.length);
  const active = at >= first && at < end ? `${id}-${at}` : undefined;
  return (
    <div
      ref={box}
      class="virtual"
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={active}
      onScroll={view.look}
      onKeyDown={move}
    >
      <div
        class="virtual-space"
        role="presentation"
        style={{ height: `${items.length * kRowHeight}px` }}
      >
        {items.slice(first, end).map((item, i) => (
          <div
            key={keyOf(item)}
            id={`${id}-${first + i}`}
            class="virtual-row"
            role="option"
            aria-selected={first + i === at}
            aria-setsize={items.length}
            aria-posinset={first + i + 1}
            style={{ top: `${(first + i) * kRowHeight}px` }}
            onClick={() => onChoose(keyOf(item))}
          >
            {row(item)}
          </div>
        ))}
      </div>
    </div>
  );
}
