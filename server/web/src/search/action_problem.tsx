import type { Problem } from '../api/types';
import { ProblemPanel } from '../ui/problem_panel';

function hint(status: number): string {
  switch (status) {
    case 0:
      return 'Whether it was done is not known. What is shown is the last that was heard.';
    case 403:
      return 'The token of this tab may look, but not do this.';
    case 409:
      return 'The search is in another state than this button supposed; its state is asked for again.';
    default:
      return '';
  }
}

/** Why an action was refused, and what that means here. */
export function ActionProblem({ problem }: { problem: Problem }) {
  const text = hint(problem.status);
  return (
    <div data-testid="action-problem">
      <ProblemPanel problem={problem} />
      {text !== '' && <p class="muted small">{text}</p>}
    </div>
  );
}
