import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { rowWindow } from './virtual_rows';

export interface Column<Row> {
  name: string;
  title?: string; // what the head shows, where it is not the name
  number?: boolean;
  sortable?: boolean;
  cell: (row: Row) => ComponentChildren;
}

interface Props<Row> {
  label: string;
  testId?: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  rowClass?: (row: Row) => string;
  sort?: { column: string; descending: boolean };
  onSort?: (column: string) => void;
}

export const kRowHeight = 36;

function Gap({ height, span }: { height: number; span: number }) {
  if (height <= 0) return null;
  return (
    <tr class="virtual-gap" aria-hidden="true">
      <td colSpan={span} height={height} />
    </tr>
  );
}

function Head<Row>({ columns, sort, onSort }: Pick<Props<Row>, 'columns' | 'sort' | 'onSort'>) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        {columns.map(({ name, title, number, sortable }) => {
          const sorted = sort?.column === name;
          return (
            <th
              key={name}
              scope="col"
              class={number ? 'number' : ''}
              aria-sort={sorted ? (sort.descending ? 'descending' : 'ascending') : undefined}
            >
              {sortable && onSort ? (
                <button type="button" class="sort-button" onClick={() => onSort(name)}>
                  {title ?? name}
                  <span aria-hidden="true">{sorted ? (sort.descending ? ' ▾' : ' ▴') : ''}</span>
                </button>
              ) : (
                (title ?? name)
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** A table of any length in a window of its own, in which only the rows in sight exist. Rows are one line high. */
export function VirtualTable<Row>(props: Props<Row>) {
  const { label, testId, columns, rows, rowKey, rowClass } = props;
  const frame = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 440 });
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  const { first, last, above, below } = rowWindow(view.top, view.height, kRowHeight, rows.length);
  return (
    <div class="table-scroll virtual" role="region" aria-label={label} tabIndex={0} ref={frame}>
      <table class="plain" data-testid={testId} aria-rowcount={rows.length + 1}>
        <Head {...props} />
        <tbody>
          <Gap height={above} span={columns.length} />
          {rows.slice(first, last).map((row, i) => (
            <tr key={rowKey(row)} class={rowClass?.(row) ?? ''} aria-rowindex={first + i + 2}>
              {columns.map(({ name, number, cell }, at) =>
                at === 0 ? (
                  <th key={name} scope="row" class={number ? 'number' : ''}>
                    {cell(row)}
                  </th>
                ) : (
                  <td key={name} class={number ? 'number' : ''}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
          <Gap height={below} span={columns.length} />
        </tbody>
      </table>
    </div>
  );
}
