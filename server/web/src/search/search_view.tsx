import { useMemo, useState } from 'preact/hooks';
import type { Candidate, Search, Sweep } from '../api/types';
import { route, setQuery } from '../route/router';
import { ProblemPanel } from '../ui/problem_panel';
import { StateBadge } from '../ui/state_badge';
import { Loading } from '../ui/states';
import { TimeAgo } from '../ui/time_ago';
import { ActionProblem } from './action_problem';
import { Actions } from './actions';
import { BestChart } from './best_chart';
import { type Brushes, chosenRows, kNoBrushes } from './brush';
import { BudgetForm } from './budget_form';
import { type Dimension, dimensionsOf, onlyRows } from './dimensions';
import { readDocument, type SearchDocument } from './document';
import { FrontChart } from './front_chart';
import { ParallelChart } from './parallel_chart';
import { RaceProgress } from './race_progress';
import { References } from './references';
import { isTrial, rangeOf, worth } from './series';
import { TrialDetail } from './trial_detail';
import { TrialsTable } from './trials_table';
import { useActions } from './use_actions';
import { type SearchData, useSearch } from './use_search';
import { ValueChart } from './value_chart';
import { Failure, Leader, Verdict } from './verdict';

const pick = (name: string) => setQuery({ trial: name });
const close = () => setQuery({ trial: null });

function estimateAxis(trials: readonly Candidate[]): Dimension {
  const at = new Float64Array(trials.length);
  trials.forEach((trial, row) => {
    at[row] = 100 * (worth(trial) ?? NaN);
  });
  const [low, high] = rangeOf(at) ?? [0, 0];
  return {
    name: 'Estimate, %',
    kind: 'number',
    labels: [],
    logarithmic: false,
    low,
    high,
    at,
  };
}

interface ChartsProps {
  trials: readonly Candidate[];
  references: readonly Candidate[];
  document: SearchDocument;
  suites: string[];
  best: string | null;
  brushes: Brushes;
  axes: readonly Dimension[];
  chosen: Uint8Array | null;
  onBrush: (brushes: Brushes) => void;
}

function Charts(props: ChartsProps) {
  const { trials, references, axes, suites } = props;
  if (trials.length === 0) return null;
  const only = axes.length === 2 && axes[0]!.kind === 'number' ? axes[0]! : null;
  return (
    <>
      {only ? (
        <ValueChart {...{ trials, references }} dimension={only} best={props.best} onPick={pick} />
      ) : (
        <ParallelChart
          {...{ trials, axes }}
          brushes={props.brushes}
          chosen={props.chosen}
          onBrush={props.onBrush}
        />
      )}
      <BestChart trials={trials} />
      {props.document.perSuite && suites.length > 1 && (
        <FrontChart {...{ trials, references, suites }} onPick={pick} />
      )}
    </>
  );
}

function Head({ sweep, document }: { sweep: Sweep; document: SearchDocument }) {
  const { id, name, state, suites, created_at } = sweep;
  return (
    <>
      <h1>{name === '' ? `Sweep ${id}` : name}</h1>
      <StateBadge state={state} />
      <p class="muted head-text">
        A search{document.variables.length > 0 && ` over ${document.variables.join(', ')}`}
        {document.sampler !== '' && ` by ${document.sampler}`} on {suites.join(', ')}, submitted{' '}
        <TimeAgo time={created_at} />
      </p>
    </>
  );
}

function Document({ text }: { text: string }) {
  return (
    <details class="panel">
      <summary>Sweep document</summary>
      <pre class="code-block">{text}</pre>
    </details>
  );
}

/** What is derived of the answers, each part again only when what it comes from has changed. */
function useParts({ sweep, candidates }: SearchData, search: Search) {
  const document = useMemo(() => readDocument(search.document), [search.document]);
  const [trials, references] = useMemo(
    () => [candidates.filter(isTrial), candidates.filter((one) => !isTrial(one))],
    [candidates],
  );
  const dimensions = useMemo(
    () => dimensionsOf(candidates, document.logarithmic),
    [candidates, document],
  );
  const axes = useMemo(() => {
    const rows = candidates.flatMap((one, row) => (isTrial(one) ? [row] : []));
    return [...dimensions.map((axis) => onlyRows(axis, rows)), estimateAxis(trials)];
  }, [candidates, dimensions]);
  const [brushes, onBrush] = useState<Brushes>(kNoBrushes);
  const chosen = useMemo(() => chosenRows(axes, brushes, trials.length), [axes, brushes]);
  const chosenNames = useMemo(
    () => chosen && new Set(trials.filter((_, row) => chosen[row] === 1).map(({ name }) => name)),
    [chosen, trials],
  );
  const best = search.result?.winner?.name ?? search.best?.name ?? null;
  const { suites } = sweep;
  const charts = { trials, references, document, suites, best, brushes, axes, chosen, onBrush };
  return { document, trials, dimensions, chosenNames, charts };
}

/** What has come out, and how the race stands. */
function Outcome({ sweep, search, trials, document }: OutcomeProps) {
  const { result } = search;
  const running = sweep.state === 'running' || sweep.state === 'queued';
  return (
    <>
      {search.error && <Failure error={search.error} />}
      {result ? <Verdict result={result} /> : <Leader best={search.best} suites={sweep.suites} />}
      <RaceProgress search={search} running={running} trials={trials} document={document} />
      {result?.winner && <References references={result.references} winner={result.winner.name} />}
    </>
  );
}

interface OutcomeProps {
  sweep: Sweep;
  search: Search;
  trials: Candidate[];
  document: SearchDocument;
}

/** Everything about a search that is loaded. */
function Loaded({
  data,
  search,
  reload,
}: {
  data: SearchData;
  search: Search;
  reload: () => void;
}) {
  const { sweep, candidates } = data;
  const { document, trials, dimensions, chosenNames, charts } = useParts(data, search);
  const actions = useActions(sweep.id, reload);
  const asked = route.value.query.get('trial');
  const shown = candidates.find(({ name }) => name === asked);
  const { busy } = actions;
  return (
    <>
      <div class="view-head" data-state={sweep.state}>
        <Head sweep={sweep} document={document} />
        <Actions state={sweep.state} busy={busy} onAction={actions.act} />
      </div>
      {actions.problem && <ActionProblem problem={actions.problem} />}
      {actions.extending && (
        <BudgetForm
          budget={document.budget}
          busy={busy}
          onExtend={actions.extend}
          onClose={actions.closeForm}
        />
      )}
      <Outcome {...{ sweep, search, trials, document }} />
      <Charts {...charts} />
      {shown && (
        <TrialDetail
          candidate={shown}
          suites={sweep.suites}
          busy={busy}
          onFork={actions.fork}
          onClose={close}
        />
      )}
      {candidates.length > 0 && (
        <TrialsTable
          candidates={candidates}
          dimensions={dimensions}
          suites={sweep.suites}
          winner={search.result?.winner?.name ?? null}
          chosen={chosenNames}
          onPick={pick}
          onFork={actions.fork}
        />
      )}
      <Document text={search.document} />
    </>
  );
}

/** A sweep that a sampler and races carry out. */
export function SearchView({ first }: { first: Sweep }) {
  const { data, problem, reload } = useSearch(first.id, first);
  return (
    <>
      {problem && <ProblemPanel problem={problem} onRetry={reload} />}
      {!data && !problem && (
        <>
          <h1>{first.name}</h1>
          <Loading what="the trials" />
        </>
      )}
      {data?.sweep.search && <Loaded data={data} search={data.sweep.search} reload={reload} />}
    </>
  );
}
