import { useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import { useResource } from '../api/use_resource';
import type { Problem } from '../api/types';
import { navigate } from '../route/router';
import { ProblemPanel } from '../ui/problem_panel';
import { SuiteChoice } from '../ui/suite_choice';

/** Scores a model on more suites, one job each. */
export function EvaluateForm({ model }: { model: string }) {
  const suites = useResource('suites', (signal) => api.suites(signal));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await api.evaluate(model, [...chosen]);
      navigate('#/queue');
    } catch (thrown) {
      setProblem(toProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="panel" onSubmit={(e) => void submit(e)}>
      {suites.data && (
        <SuiteChoice
          legend="Score on"
          suites={suites.data.items}
          chosen={chosen}
          onChange={setChosen}
        />
      )}
      {suites.problem && <ProblemPanel problem={suites.problem} onRetry={suites.reload} />}
      {problem && <ProblemPanel problem={problem} />}
      <button type="submit" class="button primary" disabled={busy || chosen.size === 0}>
        Evaluate
      </button>
    </form>
  );
}
