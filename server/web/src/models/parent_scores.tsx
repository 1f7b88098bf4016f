import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Evaluation, Model, ModelSummary } from '../api/types';
import { IntervalBar } from '../chart/interval_bar';
import { kNone, percent } from '../format/number';
import { latestBySuite, scoreOfEvaluation } from '../stats/latest';
import { type Answered, contestKey, useComparisons } from '../stats/use_comparisons';
import { ModelLink } from '../ui/model_link';
import { ProblemPanel } from '../ui/problem_panel';
import { TableScroll } from '../ui/table_scroll';
import { DifferenceCell, extentOf, overallOf, VerdictText } from '../ui/verdict';

interface Row {
  suite: string;
  own: Evaluation;
  parent: ModelSummary;
  theirs: Evaluation | undefined;
}

function OwnCell({ row, span }: { row: Row; span: number }) {
  const score = scoreOfEvaluation(row.own);
  return (
    <td class="score" rowSpan={span}>
      {score ? (
        <>
          <span class="score-text">
            <span class="score-value">{percent(score.value)}</span>
            {score.standard_error !== null && (
              <span class="score-error"> ± {percent(score.standard_error)}</span>
            )}
          </span>
          <IntervalBar score={score} />
        </>
      ) : (
        kNone
      )}
    </td>
  );
}

function ParentCells({
  row,
  answer,
  extent,
}: {
  row: Row;
  answer: Answered | undefined;
  extent: number;
}) {
  const score = scoreOfEvaluation(row.theirs);
  const overall = overallOf(answer);
  return (
    <>
      <th scope="row">
        <ModelLink model={row.parent} />
      </th>
      <td class="number" data-label="Its score, %">
        {score ? percent(score.value) : kNone}
      </td>
      <td class="score">
        {overall ? <DifferenceCell compared={overall} extent={extent} /> : kNone}
      </td>
      <td class="wraps verdict-cell">
        {row.theirs ? (
          <VerdictText answer={answer} />
        ) : (
          <span class="muted">{row.parent.name} has not been scored on this suite.</span>
        )}
      </td>
    </>
  );
}

function rowsOf(
  own: ReadonlyMap<string, Evaluation>,
  parents: { parent: ModelSummary; scored: ReadonlyMap<string, Evaluation> }[],
): Row[] {
  return [...own.keys()].sort().flatMap((suite) =>
    parents.map(({ parent, scored }) => ({
      suite,
      own: own.get(suite)!,
      parent,
      theirs: scored.get(suite),
    })),
  );
}

function ParentTable({ rows, span }: { rows: Row[]; span: number }) {
  const contest = (row: Row) => (row.theirs ? { a: row.own, b: row.theirs } : null);
  const answers = useComparisons(rows.map(contest).filter((one) => one !== null));
  const answerOf = (row: Row) => {
    const asked = contest(row);
    return asked === null ? undefined : answers.get(contestKey(asked));
  };
  const extent = extentOf(rows.map((row) => overallOf(answerOf(row))).filter((o) => o !== null));
  return (
    <TableScroll label="Scores against the parents">
      <table class="plain stacks" data-testid="parent-scores">
        <thead>
          <tr>
            <th scope="col">Suite</th>
            <th scope="col">Score, %</th>
            <th scope="col">Parent</th>
            <th scope="col" class="number">
              Its score, %
            </th>
            <th scope="col">Difference, points</th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr
              key={`${row.suite} ${row.parent.id}`}
              data-suite={row.suite}
              data-parent={row.parent.id}
            >
              {i % span === 0 && (
                <>
                  <td rowSpan={span} data-label="Suite">
                    {row.suite}
                  </td>
                  <OwnCell row={row} span={span} />
                </>
              )}
              <ParentCells row={row} answer={answerOf(row)} extent={extent} />
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

/** The model's scores against each of its parents, item by item where both answered the same ones. */
export function ParentScores({ model, evaluations }: { model: Model; evaluations: Evaluation[] }) {
  const ids = model.parents.map(({ id }) => id).join(' ');
  const parents = useResource(`parents ${ids}`, (signal) =>
    Promise.all(
      model.parents.map(async (parent) => {
        const { items } = await api.evaluations(parent.id, signal);
        return { parent, scored: latestBySuite(items) };
      }),
    ),
  );
  if (parents.problem) return <ProblemPanel problem={parents.problem} onRetry={parents.reload} />;
  const rows = rowsOf(latestBySuite(evaluations), parents.data ?? []);
  if (rows.length === 0) return null;
  return (
    <section class="part" aria-labelledby="parents-title">
      <h2 id="parents-title">Against its parents</h2>
      <ParentTable rows={rows} span={model.parents.length} />
      <p class="notes muted">
        The difference is this model’s score minus the parent’s on the same items, with a 95 %
        interval from resampling them; grey where the test cannot tell it from chance.
      </p>
    </section>
  );
}
