import type { Problem } from '../api/types';
import { FaultList } from './fault_list';

interface Props {
  problem: Problem;
  onRetry?: () => void;
}

/** A failed request, as the server described it. */
export function ProblemPanel({ problem, onRetry }: Props) {
  return (
    <div class="problem" role="alert">
      <p class="problem-title">
        {problem.detail === '' ? problem.title : problem.detail}
        {problem.status > 0 && (
          <span class="problem-status">
            {' '}
            {problem.status}
            {problem.detail !== '' && `, ${problem.title}`}
          </span>
        )}
      </p>
      {problem.errors.length > 0 && <FaultList faults={problem.errors} />}
      {onRetry && (
        <button type="button" class="button small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
