import type { Sweep, Trial } from '../api/types';
import { kNone, percent, plain } from '../format/number';
import { kZ95 } from '../stats/delta';
import { type Series, trialScore } from './series';

interface Props {
  sweep: Sweep;
  trial: Trial | null;
  shown: Series[];
}

/** The trial under the pointer in numbers; without one, the best. */
export function ReadOut({ sweep, trial, shown }: Props) {
  const best = sweep.best_trial === null ? null : (sweep.trials[sweep.best_trial] ?? null);
  const subject = trial ?? best;
  if (!subject) return <p class="read-out muted">No trial is scored yet.</p>;
  return (
    <p class="read-out" data-testid="read-out">
      <span class="read-out-value">
        {sweep.parameter} = <strong>{plain(subject.value)}</strong>
        {subject === best && <span class="badge badge-accent">best mean</span>}
      </span>
      {shown.map((series) => {
        const score = trialScore(subject, series.column);
        return (
          <span key={series.column} class={`read-out-score series-${series.index % 7}`}>
            <span class="swatch" aria-hidden="true" />
            {series.column} <strong>{score ? percent(score.value) : kNone}</strong>
            {score && score.standard_error !== null && (
              <span class="muted"> ± {percent(kZ95 * score.standard_error)}</span>
            )}
          </span>
        );
      })}
    </p>
  );
}
