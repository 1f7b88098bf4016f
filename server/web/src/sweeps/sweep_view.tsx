import { useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import { useResource } from '../api/use_resource';
import type { Leaderboard, ModelSummary, Problem, Sweep } from '../api/types';
import { useRefresh } from '../live/use_refresh';
import { route } from '../route/router';
import { SearchView } from '../search/search_view';
import { ProblemPanel } from '../ui/problem_panel';
import { StateBadge } from '../ui/state_badge';
import { Empty, Loading } from '../ui/states';
import { TimeAgo } from '../ui/time_ago';
import { LineChoice } from './line_choice';
import { parentLevel, seriesOf } from './series';
import { SweepChart } from './sweep_chart';
import { TrialTable } from './trial_table';

/** The parents of the sweep's models and the board over its suites; empty until a trial has a model. */
async function loadLevels(sweep: Sweep | null, signal: AbortSignal) {
  const model = sweep?.trials.find((trial) => trial.model_id !== null)?.model_id ?? null;
  if (!sweep || model === null)
    return { parents: [] as ModelSummary[], board: { suites: [], rows: [] } as Leaderboard };
  const [{ parents }, board] = await Promise.all([
    api.model(model, signal),
    api.leaderboard({ suites: sweep.suites }, signal),
  ]);
  return { parents, board };
}

function Curve({ sweep }: { sweep: Sweep }) {
  const first = sweep.trials.find((trial) => trial.model_id !== null)?.model_id ?? 0;
  const levels = useResource(`levels ${sweep.id} ${first}`, (signal) => loadLevels(sweep, signal));
  const series = seriesOf(sweep);
  const asked = (route.value.query.get('show') ?? 'mean').split(',');
  const shown = series.filter(({ column }) => asked.includes(column));
  const lines = shown.length > 0 ? shown : series.slice(0, 1);
  const level = levels.data
    ? parentLevel(levels.data.parents, lines[0]!.column, levels.data.board.rows)
    : null;
  return (
    <section class="panel" aria-label="Curve">
      <LineChoice series={series} shown={new Set(lines.map(({ column }) => column))} />
      <SweepChart sweep={sweep} shown={lines} level={level} />
      <p class="notes muted small">
        Bars are ± 1.96 standard errors, 95 % intervals. The dashed level is the best parent’s{' '}
        {lines[0]!.column}. The best of many trials is high partly by luck: look whether its
        interval clears its neighbours’.
      </p>
    </section>
  );
}

function Template({ recipe }: { recipe: string }) {
  return (
    <details class="panel">
      <summary>Recipe template</summary>
      <pre class="code-block">{recipe}</pre>
    </details>
  );
}

export function SweepView({ id }: { id: number }) {
  const sweep = useResource(`sweep ${id}`, (signal) => api.sweep(id, signal));
  const [refusal, setRefusal] = useState<Problem | null>(null);
  useRefresh(sweep.reload, (event) => event.type === 'state');
  const cancel = async () => {
    try {
      await api.cancelSweep(id);
      setRefusal(null);
      sweep.reload();
    } catch (thrown) {
      setRefusal(toProblem(thrown));
    }
  };
  if (!sweep.data) {
    return sweep.problem ? (
      <ProblemPanel problem={sweep.problem} onRetry={sweep.reload} />
    ) : (
      <Loading what="the sweep" />
    );
  }
  if (sweep.data.search) return <SearchView first={sweep.data} />;
  const { name, state, parameter, trials, created_at, suites, recipe } = sweep.data;
  const scored = trials.some(
    (trial) => trial.mean !== null || Object.keys(trial.scores).length > 0,
  );
  return (
    <>
      <div class="view-head">
        <h1>{name === '' ? `Sweep ${id}` : name}</h1>
        <StateBadge state={state} />
        <p class="muted">
          {trials.length} values of <code>{parameter}</code>, submitted{' '}
          <TimeAgo time={created_at} />
        </p>
        {state === 'running' && (
          <button type="button" class="button small" onClick={() => void cancel()}>
            Cancel
          </button>
        )}
      </div>
      {refusal && <ProblemPanel problem={refusal} />}
      {scored ? <Curve sweep={sweep.data} /> : <Empty title="No trial is scored yet" />}
      <TrialTable sweep={sweep.data} columns={['mean', ...suites]} />
      <Template recipe={recipe} />
    </>
  );
}
