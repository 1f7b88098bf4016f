import type { Score } from '../api/types';
import { IntervalBar } from '../chart/interval_bar';
import { kNone, percent, signedPercent } from '../format/number';
import { type Delta, interval } from '../stats/delta';
import { Badge } from '../ui/badge';

interface Props {
  column: string;
  score: Score | null;
  delta: Delta | null;
  reference: number | undefined;
}

function explain(delta: Delta, column: string): string {
  const error =
    delta.standard_error === null ? 'unknown' : `${percent(delta.standard_error)} points`;
  return (
    `Change of ${column} against the best parent, ${delta.parent.name}. Standard error ${error}, ` +
    'from both errors taken as independent.'
  );
}

function describe(score: Score): string {
  const range = interval(score);
  const items = `${score.items} items`;
  return range ? `${items}, 95 % ${percent(range.low)} to ${percent(range.high)}` : items;
}

function DeltaText({ delta, column }: { delta: Delta; column: string }) {
  const tone = delta.within_noise !== false ? 'noise' : delta.value > 0 ? 'up' : 'down';
  return (
    <span class={`delta delta-${tone}`} title={explain(delta, column)}>
      <span class="delta-value">{signedPercent(delta.value)}</span>
      {delta.within_noise === true && <span class="delta-verdict">within noise</span>}
      {delta.within_noise === false && <span class="delta-verdict">vs {delta.parent.name}</span>}
    </span>
  );
}

export function ScoreCell({ column, score, delta, reference }: Props) {
  if (!score) {
    return (
      <td class="score score-none" data-column={column} title="Not scored">
        {kNone}
      </td>
    );
  }
  return (
    <td class={`score ${column === 'mean' ? 'score-mean' : ''}`} data-column={column}>
      <span class="score-text" title={describe(score)}>
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
      <IntervalBar score={score} reference={reference} />
      {delta && <DeltaText delta={delta} column={column} />}
    </td>
  );
}
