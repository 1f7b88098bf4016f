import type { TaskComparison } from '../api/types';
import { DifferenceBar } from '../chart/difference_bar';
import { kNone, plain, signedPercent } from '../format/number';
import type { Answered } from '../stats/use_comparisons';

/** Whether the numbers are shares, to be shown in percentage points. */
function isShare({ mean_a, mean_b }: TaskComparison): boolean {
  return [mean_a, mean_b].every((mean) => mean !== null && mean >= 0 && mean <= 1);
}

/** The largest difference or end of an interval among `all`: half of a common axis. */
export function extentOf(all: TaskComparison[]): number {
  const ends = all.flatMap(({ difference, interval }) => [
    Math.abs(difference ?? 0),
    Math.abs(interval?.low ?? 0),
    Math.abs(interval?.high ?? 0),
  ]);
  return Math.min(1, Math.max(0.05, ...ends));
}

export function DifferenceText({ compared }: { compared: TaskComparison }) {
  const { difference, interval, told_apart, higher_is_better } = compared;
  if (difference === null) return <>{kNone}</>;
  const text = isShare(compared) ? signedPercent : (value: number) => plain(value);
  const better = difference > 0 === higher_is_better;
  const tone = !told_apart ? 'noise' : better ? 'up' : 'down';
  return (
    <span class={`delta delta-${tone}`}>
      <span class="delta-value">{text(difference)}</span>
      {interval && interval.low !== null && interval.high !== null && (
        <span class="delta-verdict">
          ({text(interval.low)} to {text(interval.high)})
        </span>
      )}
    </span>
  );
}

export function DifferenceCell({ compared, extent }: { compared: TaskComparison; extent: number }) {
  const { difference, interval } = compared;
  return (
    <>
      <DifferenceText compared={compared} />
      {difference !== null && isShare(compared) && (
        <DifferenceBar
          value={difference}
          low={interval?.low ?? null}
          high={interval?.high ?? null}
          extent={extent}
        />
      )}
    </>
  );
}

/** The comparison over all items, else of its only task; null where tasks cannot be added up. */
export function overallOf(answer: Answered | undefined): TaskComparison | null {
  if (!answer || !('comparison' in answer)) return null;
  const { overall, tasks } = answer.comparison;
  return overall ?? (tasks.length === 1 ? (tasks[0] ?? null) : null);
}

/** What an answer says in words: the verdict, each task's where there are several, notes, or why there is none. */
export function VerdictText({ answer }: { answer: Answered | undefined }) {
  if (!answer) return <span class="muted">Comparing…</span>;
  if ('problem' in answer)
    return <span class="text-bad">{answer.problem.detail || answer.problem.title}</span>;
  const { tasks, notes } = answer.comparison;
  const overall = overallOf(answer);
  return (
    <>
      <span>{overall?.verdict ?? 'The tasks’ values cannot be added up; each is told below.'}</span>
      {tasks.length > 1 && (
        <details open={overall === null}>
          <summary>{tasks.length} tasks</summary>
          <ul class="task-verdicts">
            {tasks.map((task) => (
              <li key={`${task.task} ${task.metric}`}>
                <strong>{task.task}</strong> <DifferenceText compared={task} /> {task.verdict}
              </li>
            ))}
          </ul>
        </details>
      )}
      {notes.map((note) => (
        <span key={note} class="note muted small">
          {note}
        </span>
      ))}
    </>
  );
}
