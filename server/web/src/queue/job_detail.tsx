import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Job } from '../api/types';
import { duration } from '../format/time';
import { DigestText } from '../ui/digest';
import { FaultList } from '../ui/fault_list';
import { TimeAgo } from '../ui/time_ago';
import { JobLog } from './job_log';

function JobFacts({ job }: { job: Job }) {
  const took =
    job.started_at && job.finished_at
      ? (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000
      : null;
  return (
    <dl class="facts">
      <dt>Submitted</dt>
      <dd>
        <TimeAgo time={job.created_at} />
      </dd>
      {took !== null && (
        <>
          <dt>Last attempt took</dt>
          <dd>{duration(took)}</dd>
        </>
      )}
      <dt>Attempts</dt>
      <dd>
        {job.attempt} of at most {job.max_attempts}
      </dd>
      {job.kind === 'merge' && (
        <>
          <dt>Seed</dt>
          <dd>{job.seed}</dd>
          {job.recipe_digest !== '' && (
            <>
              <dt>Recipe digest</dt>
              <dd>
                <DigestText digest={job.recipe_digest} />
              </dd>
            </>
          )}
        </>
      )}
      <dt>Suites</dt>
      <dd>{job.suites.length > 0 ? job.suites.join(', ') : 'none'}</dd>
      {job.children.length > 0 && (
        <>
          <dt>Evaluations</dt>
          <dd>{job.children.map((id) => `job ${id}`).join(', ')}</dd>
        </>
      )}
    </dl>
  );
}

/** All there is to know about a job: its error with every fault, its recipe and its log. */
export function JobDetail({ job }: { job: Job }) {
  const whole = useResource(`job ${job.id}`, (signal) => api.job(job.id, signal));
  return (
    <div class="detail">
      {job.error && (
        <div class="problem">
          <p class="problem-title">{job.error.message}</p>
          {job.error.errors.length > 0 && <FaultList faults={job.error.errors} />}
        </div>
      )}
      <JobFacts job={job} />
      {whole.data?.recipe && (
        <section aria-label="Recipe">
          <h3>Recipe</h3>
          <pre class="code-block">{whole.data.recipe}</pre>
        </section>
      )}
      <JobLog id={job.id} />
    </div>
  );
}
