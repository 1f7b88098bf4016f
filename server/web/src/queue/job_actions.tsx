import { useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Job } from '../api/types';
import { canRetry, groupOf } from '../live/job_list';

interface Props {
  job: Job;
  onChange: (job: Job) => void;
}

export function JobActions({ job, onChange }: Props) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState('');
  const act = async (action: (id: number) => Promise<Job>) => {
    setBusy(true);
    setRefusal('');
    try {
      onChange(await action(job.id));
    } catch (thrown) {
      const problem = toProblem(thrown);
      setRefusal(problem.detail || problem.title);
    } finally {
      setBusy(false);
    }
  };
  const cancellable = groupOf(job.state) !== 'finished';
  return (
    <span class="actions">
      {cancellable && (
        <button
          type="button"
          class="button small"
          disabled={busy || job.cancel_requested}
          aria-label={`Cancel job ${job.id}`}
          onClick={() => void act(api.cancelJob)}
        >
          {job.cancel_requested ? 'Cancelling…' : 'Cancel'}
        </button>
      )}
      {canRetry(job) && (
        <button
          type="button"
          class="button small"
          disabled={busy}
          aria-label={`Retry job ${job.id}`}
          onClick={() => void act(api.retryJob)}
        >
          Retry
        </button>
      )}
      {refusal !== '' && (
        <span class="text-bad small" role="alert">
          {refusal}
        </span>
      )}
    </span>
  );
}
