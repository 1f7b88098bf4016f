import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Sweep } from '../api/types';
import { percent, plain } from '../format/number';
import { useRefresh } from '../live/use_refresh';
import { SearchCells } from './search_cells';
import { ProblemPanel } from '../ui/problem_panel';
import { StateBadge } from '../ui/state_badge';
import { Empty, Loading } from '../ui/states';
import { TableScroll } from '../ui/table_scroll';
import { TimeAgo } from '../ui/time_ago';

function range(sweep: Sweep): string {
  const first = sweep.trials[0];
  const last = sweep.trials.at(-1);
  return first && last ? `${plain(first.value)} to ${plain(last.value)}` : '';
}

function ValueCells({ sweep }: { sweep: Sweep }) {
  const best = sweep.best_trial === null ? undefined : sweep.trials[sweep.best_trial];
  const done = sweep.trials.filter((trial) => trial.state === 'succeeded').length;
  return (
    <>
      <td>
        <code>{sweep.parameter}</code> {range(sweep)}
      </td>
      <td>
        <StateBadge state={sweep.state} />
      </td>
      <td class="number">
        {done} of {sweep.trials.length}
      </td>
      <td class="nowrap">
        {best?.mean && (
          <>
            {plain(best.value)}: {percent(best.mean.value)} %
            {best.mean.standard_error !== null && (
              <span class="score-error"> ± {percent(best.mean.standard_error)}</span>
            )}
          </>
        )}
      </td>
    </>
  );
}

function SweepRow({ sweep }: { sweep: Sweep }) {
  return (
    <tr data-sweep={sweep.id}>
      <th scope="row">
        <a href={`#/sweeps/${sweep.id}`}>{sweep.name === '' ? `Sweep ${sweep.id}` : sweep.name}</a>
      </th>
      {sweep.search ? (
        <SearchCells sweep={sweep} search={sweep.search} />
      ) : (
        <ValueCells sweep={sweep} />
      )}
      <td>{sweep.suites.join(', ')}</td>
      <td class="muted nowrap">
        <TimeAgo time={sweep.created_at} />
      </td>
    </tr>
  );
}

export function SweepsView() {
  const sweeps = useResource('sweeps', (signal) => api.sweeps(signal));
  useRefresh(sweeps.reload, (event) => event.type === 'state');
  return (
    <>
      <div class="view-head">
        <h1>Sweeps</h1>
        <span class="head-actions actions">
          <a class="button" href="#/submit?mode=sweep">
            Submit a sweep
          </a>
          <a class="button" href="#/submit?mode=search">
            Start a search
          </a>
        </span>
      </div>
      {sweeps.problem && <ProblemPanel problem={sweeps.problem} onRetry={sweeps.reload} />}
      {!sweeps.data && !sweeps.problem && <Loading what="sweeps" />}
      {sweeps.data && sweeps.data.items.length === 0 && (
        <Empty title="No sweeps yet">
          <p>
            A sweep runs one recipe with several values of one parameter and draws the scores as a
            curve. A search lets a sampler choose values of several parameters and races them.
          </p>
        </Empty>
      )}
      {sweeps.data && sweeps.data.items.length > 0 && (
        <TableScroll label="Sweeps">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Sweep</th>
                <th scope="col">Varies</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Trials done
                </th>
                <th scope="col">Best</th>
                <th scope="col">Suites</th>
                <th scope="col">Submitted</th>
              </tr>
            </thead>
            <tbody>
              {sweeps.data.items.map((sweep) => (
                <SweepRow key={sweep.id} sweep={sweep} />
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </>
  );
}
