import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import { useRefresh } from '../live/use_refresh';
import { ProblemPanel } from '../ui/problem_panel';

/** A job's log so far; follows the job. */
export function JobLog({ id }: { id: number }) {
  const log = useResource(`log ${id}`, (signal) => api.jobLog(id, signal));
  useRefresh(log.reload, (event) => event.job_id === id);
  return (
    <section aria-label="Log">
      <h3>Log</h3>
      {log.problem && <ProblemPanel problem={log.problem} onRetry={log.reload} />}
      {log.data !== null && (
        <pre class="code-block log" tabIndex={0}>
          {log.data === '' ? 'Nothing logged yet.' : log.data}
        </pre>
      )}
    </section>
  );
}
