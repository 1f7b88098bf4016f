import type { Job, JobEvent, JobState } from '../api/types';

export type Group = 'active' | 'waiting' | 'finished';

export function groupOf(state: JobState): Group {
  switch (state) {
    case 'leased':
    case 'running':
    case 'publishing':
      return 'active';
    case 'queued':
    case 'retry_wait':
      return 'waiting';
    default:
      return 'finished';
  }
}

export function canRetry(job: Job): boolean {
  return job.state === 'failed' || job.state === 'dead' || job.state === 'cancelled';
}

/** A job as an event leaves it; the same job when the event is older than the server's last answer. */
export function applyEvent(job: Job, event: JobEvent): Job {
  if (event.job_id !== job.id || event.at < job.updated_at || event.attempt < job.attempt)
    return job;
  // updated_at stays the last answer's, so that the next answer always counts as fresh.
  return { ...job, state: event.state, attempt: event.attempt, progress: event.progress };
}

/** Answered jobs over known ones by id, newest first; an answer overtaken by a later one is dropped. */
export function mergeJobs(old: readonly Job[], fresh: readonly Job[]): Job[] {
  const byId = new Map(old.map((job) => [job.id, job]));
  for (const job of fresh) {
    const known = byId.get(job.id);
    if (!known || job.updated_at >= known.updated_at) byId.set(job.id, job);
  }
  return [...byId.values()].sort((a, b) => b.id - a.id);
}
