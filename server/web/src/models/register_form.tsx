import { useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Problem } from '../api/types';
import { ProblemPanel } from '../ui/problem_panel';

/** Makes a checkpoint folder on the server known. */
export function RegisterForm({ onDone }: { onDone: () => void }) {
  const [path, setPath] = useState('');
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await api.registerModel(path.trim(), name.trim());
      setPath('');
      setName('');
      onDone();
    } catch (thrown) {
      setProblem(toProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="panel" onSubmit={(e) => void submit(e)}>
      <h2>Register a model</h2>
      <div class="filters">
        <label class="field grow">
          <span>Checkpoint folder on the server</span>
          <input
            name="path"
            required
            value={path}
            onInput={(e) => setPath(e.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Name (optional)</span>
          <input
            name="name"
            value={name}
            placeholder="the folder’s name"
            onInput={(e) => setName(e.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button" disabled={busy || path.trim() === ''}>
          Register
        </button>
      </div>
      {problem && <ProblemPanel problem={problem} />}
    </form>
  );
}
