import type { Evaluation, MetricScore, TaskScore } from '../api/types';
import { IntervalBar } from '../chart/interval_bar';
import { percent } from '../format/number';
import { duration } from '../format/time';
import { DownloadSamples } from '../samples/download';
import { TableScroll } from '../ui/table_scroll';

function primary(task: TaskScore): MetricScore | null {
  const own = task.metrics.filter((metric) => metric.name === task.primary_metric);
  return own.find((m) => m.filter === task.primary_filter) ?? own[0] ?? task.metrics[0] ?? null;
}

function metricText(metric: MetricScore): string {
  const name = metric.filter === 'none' ? metric.name : `${metric.name} (${metric.filter})`;
  if (metric.value === null) return `${name} not finite`;
  const error = metric.standard_error === null ? '' : ` ± ${percent(metric.standard_error)}`;
  return `${name} ${percent(metric.value)}${error}`;
}

function TaskRow({ task, evaluation }: { task: TaskScore; evaluation: Evaluation }) {
  const main = primary(task);
  const others = task.metrics.filter((metric) => metric !== main);
  return (
    <tr>
      <td>{evaluation.suite}</td>
      <th scope="row">
        {task.task}
        {task.version !== '' && <span class="muted"> v{task.version}</span>}
      </th>
      <td class="score">
        {main && main.value !== null && (
          <>
            <span class="score-text">
              <span class="score-value">{percent(main.value)}</span>
              {main.standard_error !== null && (
                <span class="score-error"> ± {percent(main.standard_error)}</span>
              )}
            </span>
            <IntervalBar
              score={{
                value: main.value,
                standard_error: main.standard_error,
                interval: main.interval,
                items: task.items,
              }}
            />
          </>
        )}
      </td>
      <td class="wraps">
        <code>{main?.name ?? ''}</code>
        {others.length > 0 && <span class="muted small"> {others.map(metricText).join(', ')}</span>}
      </td>
      <td class="number">{task.items}</td>
      <td class="muted">
        {evaluation.engine}, {evaluation.dtype}, {duration(evaluation.seconds)}
      </td>
      <td>
        <DownloadSamples evaluation={evaluation} small />
      </td>
    </tr>
  );
}

function Flags({ evaluations }: { evaluations: Evaluation[] }) {
  const flags = evaluations.flatMap((evaluation) =>
    evaluation.flags.map((flag) => `${evaluation.suite}: ${flag}`),
  );
  if (flags.length === 0) return null;
  return (
    <ul class="flags" aria-label="What makes these scores doubtful">
      {flags.map((flag) => (
        <li key={flag}>{flag}</li>
      ))}
    </ul>
  );
}

export function TaskScores({ evaluations }: { evaluations: Evaluation[] }) {
  if (evaluations.length === 0) return <p class="muted">Not scored on any suite yet.</p>;
  return (
    <>
      <Flags evaluations={evaluations} />
      <TableScroll label="Table of scores by task">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Suite</th>
              <th scope="col">Task</th>
              <th scope="col">Score, %</th>
              <th scope="col">Metric</th>
              <th scope="col" class="number">
                Items
              </th>
              <th scope="col">Engine</th>
              <th scope="col">Download</th>
            </tr>
          </thead>
          <tbody>
            {evaluations.flatMap((evaluation) =>
              evaluation.tasks.map((task) => (
                <TaskRow
                  key={`${evaluation.id} ${task.task}`}
                  task={task}
                  evaluation={evaluation}
                />
              )),
            )}
          </tbody>
        </table>
      </TableScroll>
    </>
  );
}
