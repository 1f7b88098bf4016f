import type { Progress } from '../api/types';
import { bytes } from '../format/number';

function amount(value: number, unit: string): string {
  return unit === 'bytes' ? bytes(value) : String(value);
}

export function progressText(progress: Progress): string {
  const { stage, done, total, unit } = progress;
  if (total <= 0) return stage;
  const suffix = unit === 'bytes' || unit === '' ? '' : ` ${unit}`;
  return `${stage} ${amount(done, unit)} of ${amount(total, unit)}${suffix}`;
}

/** How far a job is; without a bar while the total is unknown. */
export function ProgressBar({ progress }: { progress: Progress }) {
  const text = progressText(progress);
  return (
    <span class="progress">
      {progress.total > 0 && (
        <progress
          max={progress.total}
          value={Math.min(progress.done, progress.total)}
          aria-label={text}
        />
      )}
      <span class="progress-text">{text}</span>
    </span>
  );
}
