/** The rows of a long table that have to exist, and the heights of the gaps that stand for the others. */
export interface RowWindow {
  first: number;
  last: number; // exclusive
  above: number; // pixels
  below: number;
}

const kSpare = 12; // rows beyond either edge, so that a quick scroll shows no gap

export function rowWindow(
  scrollTop: number,
  viewHeight: number,
  rowHeight: number,
  rows: number,
): RowWindow {
  const top = Math.max(0, Math.min(scrollTop, rows * rowHeight - viewHeight));
  const first = Math.max(0, Math.floor(top / rowHeight) - kSpare);
  const last = Math.min(rows, Math.ceil((top + viewHeight) / rowHeight) + kSpare);
  return { first, last, above: first * rowHeight, below: (rows - last) * rowHeight };
}
