import { useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Evaluation, Problem } from '../api/types';

/** Gives a text to the browser as a file; a plain link could not carry the access token. */
function save(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Downloads an evaluation's items as JSON lines. */
export function DownloadSamples({
  evaluation,
  small,
}: {
  evaluation: Evaluation;
  small?: boolean;
}) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const text = await api.samples(evaluation.id);
      save(text, `samples_${evaluation.model.name}_${evaluation.suite}.jsonl`);
    } catch (thrown) {
      setProblem(toProblem(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button
        type="button"
        class={`button ${small ? 'small' : ''}`}
        disabled={busy}
        onClick={() => void download()}
      >
        Download<span class="hidden"> items of {evaluation.suite}</span>
      </button>
      {problem && (
        <span class="text-bad" role="alert">
          {problem.detail || problem.title}
        </span>
      )}
    </>
  );
}
