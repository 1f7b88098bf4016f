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
        {problem.title}
        {problem.status > 0 && <span class="muted"> ({problem.status})</span>}
      </p>
      {problem.detail !== '' && problem.detail !== problem.title && <p>{problem.detail}</p>}
      {problem.errors.length > 0 && <FaultList faults={problem.errors} />}
      {onRetry && (
        <button type="button" class="button small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
