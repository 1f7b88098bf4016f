import type { Job } from '../api/types';
import { groupOf } from '../live/job_list';
import { StateBadge } from '../ui/state_badge';
import { TimeAgo } from '../ui/time_ago';
import { JobActions } from './job_actions';
import { JobDetail } from './job_detail';
import { ProgressBar } from './progress_bar';

interface Props {
  job: Job;
  open: boolean;
  onToggle: () => void;
  onChange: (job: Job) => void;
}

function What({ job }: { job: Job }) {
  return (
    <>
      <span class="job-name">
        {job.model_id !== null ? <a href={`#/models/${job.model_id}`}>{job.name}</a> : job.name}
      </span>
      <span class="lineage">
        {job.kind === 'merge' ? (
          <>
            merge, <code>{job.merge_method}</code>
          </>
        ) : (
          <>
            {job.kind === 'sweep' ? 'search' : 'evaluation'} on {job.suites.join(', ')}
          </>
        )}
        {job.parent_id !== null && `, after job ${job.parent_id}`}
        {job.sweep_id !== null && (
          <>
            {', '}
            <a href={`#/sweeps/${job.sweep_id}`}>sweep {job.sweep_id}</a>
          </>
        )}
      </span>
    </>
  );
}

function Situation({ job }: { job: Job }) {
  if (groupOf(job.state) === 'active') return <ProgressBar progress={job.progress} />;
  if (job.state === 'retry_wait' && job.not_before !== null) {
    return (
      <span class="muted">
        again <TimeAgo time={job.not_before} />, attempt {job.attempt} failed
      </span>
    );
  }
  if (job.error && job.state !== 'succeeded')
    return <span class="job-error">{job.error.message}</span>;
  return <span class="muted">{job.attempt > 1 ? `attempt ${job.attempt}` : ''}</span>;
}

export function JobRow({ job, open, onToggle, onChange }: Props) {
  return (
    <>
      <tr data-job={job.id} data-state={job.state} class={open ? 'is-open' : ''}>
        <td class="job-id">
          <button
            type="button"
            class="disclose"
            aria-expanded={open}
            aria-label={`Details and log of job ${job.id}`}
            onClick={onToggle}
          >
            <span aria-hidden="true">{open ? '▾' : '▸'}</span>
          </button>
          {job.id}
        </td>
        <th scope="row">
          <What job={job} />
        </th>
        <td>
          <StateBadge state={job.state} />
        </td>
        <td class="situation">
          <Situation job={job} />
        </td>
        <td class="muted nowrap">
          <TimeAgo time={job.finished_at ?? job.started_at ?? job.created_at} />
        </td>
        <td class="actions-cell">
          <JobActions job={job} onChange={onChange} />
        </td>
      </tr>
      {open && (
        <tr class="detail-row">
          <td colSpan={6}>
            <div class="detail-inset">
              <JobDetail job={job} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}
