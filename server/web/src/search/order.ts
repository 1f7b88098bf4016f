import type { Candidate, Standing } from '../api/types';
import type { Dimension } from './dimensions';

export type Filter = Standing | 'reference';

/** What a table's column sorts by: a number or a text; null goes last whichever way. */
export type SortKey = (row: number) => number | string | null;

const kPlaces: Record<Standing, number> = {
  racing: 0,
  'set aside': 1,
  eliminated: 2,
  failed: 3,
};

/** Leaders first: those in the race, of them those who have answered most, of these by estimate. */
export function compareRank(a: Candidate, b: Candidate): number {
  return (
    kPlaces[a.standing] - kPlaces[b.standing] ||
    b.seen - a.seen ||
    (b.estimate ?? -1) - (a.estimate ?? -1) ||
    (a.trial ?? -1) - (b.trial ?? -1)
  );
}

/** The key of a column by its name; null for a column that cannot be sorted by. */
export function sortKey(
  column: string,
  candidates: readonly Candidate[],
  dimensions: readonly Dimension[],
  suites: readonly string[],
): SortKey | null {
  const known = (value: number | null | undefined) =>
    typeof value === 'number' && Number.isFinite(value) ? value : null;
  const suite = suites.findIndex((name) => `suite ${name}` === column);
  if (suite >= 0) return (row) => known(candidates[row]!.suites[suite]);
  const dimension = dimensions.find(({ name }) => `value ${name}` === column);
  if (dimension) return (row) => known(dimension.at[row]);
  switch (column) {
    case 'name':
      return (row) => candidates[row]!.trial;
    case 'standing':
      return (row) => kPlaces[candidates[row]!.standing];
    case 'items':
      return (row) => candidates[row]!.seen;
    case 'estimate':
      return (row) => known(candidates[row]!.estimate);
    default:
      return null;
  }
}

/** Rows in order: by a key, else by rank. */
export function orderRows(
  candidates: readonly Candidate[],
  key: SortKey | null,
  descending: boolean,
): number[] {
  const rows = candidates.map((_, row) => row);
  if (!key) return rows.sort((a, b) => compareRank(candidates[a]!, candidates[b]!));
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
    return (x < y ? -1 : x > y ? 1 : 0) * sign || a - b;
  });
}

/** Whether the filters let a candidate through; none let all. */
export function passes(candidate: Candidate, filters: ReadonlySet<Filter>): boolean {
  if (filters.size === 0) return true;
  return filters.has(candidate.trial === null ? 'reference' : candidate.standing);
}
