import type { Sweep } from '../api/types';
import { kNone, percent, plain } from '../format/number';
import { Badge } from '../ui/badge';
import { StateBadge } from '../ui/state_badge';
import { TableScroll } from '../ui/table_scroll';
import { trialScore } from './series';

interface Props {
  sweep: Sweep;
  columns: string[];
}

export function TrialTable({ sweep, columns }: Props) {
  return (
    <TableScroll label="Trials">
      <table class="plain" data-testid="trials">
        <thead>
          <tr>
            <th scope="col" class="number">
              {sweep.parameter}
            </th>
            {columns.map((column) => (
              <th key={column} scope="col" class="number">
                {column}, %
              </th>
            ))}
            <th scope="col">State</th>
            <th scope="col">Model</th>
            <th scope="col">Job</th>
          </tr>
        </thead>
        <tbody>
          {sweep.trials.map((trial, index) => (
            <tr key={trial.job_id} class={index === sweep.best_trial ? 'is-best' : ''}>
              <th scope="row" class="number">
                {plain(trial.value)}
              </th>
              {columns.map((column) => {
                const score = trialScore(trial, column);
                return (
                  <td key={column} class="number nowrap">
                    {score ? percent(score.value) : kNone}
                    {score && score.standard_error !== null && (
                      <span class="score-error"> ± {percent(score.standard_error)}</span>
                    )}
                  </td>
                );
              })}
              <td class="nowrap">
                <StateBadge state={trial.state} />
                {index === sweep.best_trial && <Badge tone="accent">best mean</Badge>}
              </td>
              <td>
                {trial.model_id !== null && (
                  <a href={`#/models/${trial.model_id}`}>model {trial.model_id}</a>
                )}
              </td>
              <td>
                <a href={`#/queue?job=${trial.job_id}`}>job {trial.job_id}</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
