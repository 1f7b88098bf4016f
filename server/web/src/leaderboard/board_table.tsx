import { useMemo, useState } from 'preact/hooks';
import type { Leaderboard, LeaderboardRow } from '../api/types';
import { setQuery } from '../route/router';
import { TableScroll } from '../ui/table_scroll';
import { type BoardQuery, sortChanges } from './board_query';
import { BoardRow } from './board_row';

interface Props {
  board: Leaderboard; // whole: parents may be filtered out of `rows`
  rows: LeaderboardRow[];
  query: BoardQuery;
}

interface HeaderProps {
  column: string;
  title: string;
  query: BoardQuery;
  numeric?: boolean;
}

function SortHeader({ column, title, query, numeric }: HeaderProps) {
  const active = query.sort === column;
  const sorted = active ? (query.order === 'asc' ? 'ascending' : 'descending') : 'none';
  return (
    <th scope="col" aria-sort={sorted} class={numeric ? 'score-column' : undefined}>
      <button type="button" class="sort" onClick={() => setQuery(sortChanges(query, column))}>
        {title}
        <span class="sort-mark" aria-hidden="true">
          {active ? (query.order === 'asc' ? '↑' : '↓') : ''}
        </span>
      </button>
    </th>
  );
}

export function BoardTable({ board, rows, query }: Props) {
  const [pointed, setPointed] = useState<number | null>(null);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const byId = useMemo(() => new Map(board.rows.map((row) => [row.model.id, row])), [board]);
  const lit = new Set(pointed === null ? [] : byId.get(pointed)?.parents.map((p) => p.id));
  const toggle = (id: number) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  return (
    <TableScroll label="Leaderboard">
      <table class="board" data-testid="leaderboard">
        <thead>
          <tr>
            <th scope="col" class="pick">
              <span class="hidden">Compare</span>
            </th>
            <th scope="col" class="rank">
              #
            </th>
            <SortHeader column="name" title="Model" query={query} />
            <th scope="col">Method</th>
            <SortHeader column="mean" title="mean" query={query} numeric />
            {board.suites.map((suite) => (
              <SortHeader key={suite} column={suite} title={suite} query={query} numeric />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <BoardRow
              key={row.model.id}
              row={row}
              suites={board.suites}
              rows={byId}
              lit={lit.has(row.model.id)}
              open={open.has(row.model.id)}
              onToggle={() => toggle(row.model.id)}
              onPoint={setPointed}
            />
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
