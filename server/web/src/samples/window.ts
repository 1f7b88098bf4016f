/** Rows of a list that are drawn: from `first` up to, not including, `end`. */
export interface Window {
  first: number;
  end: number;
}

/** Rows in view at a scroll position, with `over` more above and below; heights in CSS pixels. */
export function windowOf(
  scrollTop: number,
  height: number,
  rowHeight: number,
  count: number,
  over = 6,
): Window {
  const top = Math.max(0, Math.min(scrollTop, count * rowHeight - height));
  const first = Math.max(0, Math.floor(top / rowHeight) - over);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + over);
  return { first: Math.min(first, end), end };
}

/** Where to scroll so that a row is in view; unchanged when it is. */
export function scrollTo(
  row: number,
  scrollTop: number,
  height: number,
  rowHeight: number,
): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  return top + rowHeight > scrollTop + height ? top + rowHeight - height : scrollTop;
}
