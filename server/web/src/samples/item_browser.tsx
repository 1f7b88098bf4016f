import type { ComponentChildren } from 'preact';
import { VirtualList } from '../ui/virtual_list';
import { type Answer, ItemDetail } from './item_detail';

interface Props<T> {
  id: string;
  label: string;
  items: T[];
  keyOf: (item: T) => string;
  chosen: string; // key; the first item is shown where it is not among them
  onChoose: (key: string) => void;
  row: (item: T) => ComponentChildren;
  answers: (item: T) => Answer[];
}

/** A list of items beside the chosen one's detail. */
export function ItemBrowser<T>({ items, chosen, answers, ...list }: Props<T>) {
  const { keyOf } = list;
  const shown = items.find((item) => keyOf(item) === chosen) ?? items[0];
  if (shown === undefined)
    return (
      <p class="muted" role="status">
        No item passes the filters.
      </p>
    );
  return (
    <div class="item-browser">
      <VirtualList {...list} items={items} chosen={keyOf(shown)} />
      <ItemDetail answers={answers(shown)} />
    </div>
  );
}
