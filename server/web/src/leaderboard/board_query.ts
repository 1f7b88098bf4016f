import type { LeaderboardRow } from '../api/types';

/** What the leaderboard shows; lives in the URL's query, defaults left out. */
export interface BoardQuery {
  sort: string; // "mean", "name", "created" or a suite
  order: 'asc' | 'desc';
  suites: string[]; // empty = all
  method: string; // "" = all, "none" = not merged
  text: string;
}

export function defaultOrder(sort: string): 'asc' | 'desc' {
  return sort === 'name' ? 'asc' : 'desc';
}

export function readBoardQuery(query: URLSearchParams): BoardQuery {
  const sort = query.get('sort') || 'mean';
  const order = query.get('order');
  return {
    sort,
    order: order === 'asc' || order === 'desc' ? order : defaultOrder(sort),
    suites: (query.get('suites') ?? '').split(',').filter((name) => name !== ''),
    method: query.get('method') ?? '',
    text: query.get('q') ?? '',
  };
}

/** The query changes that sort by `column`; a second click on it turns the order. */
export function sortChanges(current: BoardQuery, column: string): Record<string, string | null> {
  const turned = current.order === 'asc' ? 'desc' : 'asc';
  const order = current.sort === column ? turned : defaultOrder(column);
  return {
    sort: column === 'mean' ? null : column,
    order: order === defaultOrder(column) ? null : order,
  };
}

/** Rows that pass the method and text filters; ranks stay those of the whole board. */
export function filterRows(rows: LeaderboardRow[], method: string, text: string): LeaderboardRow[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return rows.filter((row) => {
    if (method === 'none' && row.origin !== 'registered') return false;
    if (method !== '' && method !== 'none' && row.merge_method !== method) return false;
    const hay = [row.model.name, row.merge_method, row.digest, ...row.parents.map((p) => p.name)]
      .join(' ')
      .toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}
