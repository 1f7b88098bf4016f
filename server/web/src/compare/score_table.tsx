import type { Score } from '../api/types';
import { IntervalBar } from '../chart/interval_bar';
import { kNone, percent } from '../format/number';
import { interval } from '../stats/delta';
import { meanOf, scoreOfEvaluation } from '../stats/latest';
import { Badge } from '../ui/badge';
import { ModelLink } from '../ui/model_link';
import { TableScroll } from '../ui/table_scroll';
import type { Compared } from './compared';

interface Props {
  models: Compared[];
  suites: string[];
  reference: number;
}

function ScoreEntry({ score, mark }: { score: Score | null; mark: number | undefined }) {
  if (!score) return <td class="score score-none">{kNone}</td>;
  const range = interval(score);
  return (
    <td class="score">
      <span class="score-text">
        <span class="score-value">{percent(score.value)}</span>
        {score.standard_error !== null && (
          <span class="score-error"> ± {percent(score.standard_error)}</span>
        )}
        {score.flagged && (
          <Badge tone="warn" title="The evaluation says what makes this score doubtful">
            doubtful
          </Badge>
        )}
      </span>
      <IntervalBar score={score} reference={mark} />
      {range && (
        <span class="score-error">
          {percent(range.low)} to {percent(range.high)}
        </span>
      )}
    </td>
  );
}

/** Scores of every model on every suite; the tick on each bar is the reference's score. */
export function ScoreTable({ models, suites, reference }: Props) {
  const rows = suites.map((suite) => ({
    name: suite,
    scores: models.map(({ evaluations }) => scoreOfEvaluation(evaluations.get(suite))),
  }));
  const shared = rows.filter(({ scores }) => scores.every((score) => score !== null));
  if (shared.length > 1) {
    const scores = models.map((_, i) => meanOf(shared.map((row) => row.scores[i] ?? null)));
    const all = shared.length === rows.length;
    rows.push({ name: all ? 'mean' : `mean of ${shared.length} shared`, scores });
  }
  const own = models.findIndex(({ model }) => model.id === reference);
  return (
    <TableScroll label="Table of scores">
      <table class="plain scores-table" data-testid="compare-scores">
        <thead>
          <tr>
            <th scope="col">Suite</th>
            {models.map(({ model }) => (
              <th key={model.id} scope="col">
                <ModelLink model={model} />
                {model.id === reference && <Badge tone="accent">reference</Badge>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, scores }) => (
            <tr key={name} data-suite={name}>
              <th scope="row">{name}</th>
              {scores.map((score, i) => (
                <ScoreEntry
                  key={models[i]!.model.id}
                  score={score}
                  mark={i === own ? undefined : scores[own]?.value}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
