import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import { useRefresh } from '../live/use_refresh';
import { route } from '../route/router';
import { ProblemPanel } from '../ui/problem_panel';
import { Empty, Loading } from '../ui/states';
import { BoardCaption } from './board_caption';
import { BoardFilters } from './board_filters';
import { filterRows, readBoardQuery } from './board_query';
import { BoardTable } from './board_table';
import { PickBar } from './pick';

export function LeaderboardView() {
  const query = readBoardQuery(route.value.query);
  const board = useResource(JSON.stringify([query.sort, query.order, query.suites]), (signal) =>
    api.leaderboard({ sort: query.sort, order: query.order, suites: query.suites }, signal),
  );
  // All columns there are, so that one filtered away can be chosen again.
  const columns = useResource('columns', (signal) => api.leaderboard({}, signal));
  useRefresh(
    () => {
      board.reload();
      columns.reload();
    },
    (event) => event.type === 'state' && event.state === 'succeeded',
  );
  const all = columns.data?.suites ?? board.data?.suites ?? [];

  if (!board.data) {
    return board.problem ? (
      <ProblemPanel problem={board.problem} onRetry={board.reload} />
    ) : (
      <Loading what="the leaderboard" />
    );
  }
  const rows = filterRows(board.data.rows, query.method, query.text);
  const methods = [...new Set(board.data.rows.map((row) => row.merge_method))].filter(
    (m) => m !== '',
  );
  return (
    <>
      <div class="view-head">
        <h1>Leaderboard</h1>
        <p class="muted" role="status">
          {rows.length === board.data.rows.length
            ? `${rows.length} models`
            : `${rows.length} of ${board.data.rows.length} models`}
        </p>
      </div>
      {board.problem && <ProblemPanel problem={board.problem} onRetry={board.reload} />}
      {board.data.rows.length === 0 ? (
        <Empty title="Nothing is scored yet">
          <p>
            <a href="#/models">Register models</a> and score them, or{' '}
            <a href="#/submit">submit a merge</a>.
          </p>
        </Empty>
      ) : (
        <>
          <BoardFilters query={query} methods={methods.sort()} suites={all} />
          {rows.length === 0 ? (
            <Empty title="No model matches the filters" />
          ) : (
            <BoardTable board={board.data} rows={rows} query={query} />
          )}
          <PickBar />
          <BoardCaption />
        </>
      )}
    </>
  );
}
