import { expect, test } from 'vitest';
import type { Job, JobEvent } from '../api/types';
import { applyEvent, groupOf, mergeJobs } from './job_list';

const kJob = {
  id: 7,
  state: 'running',
  attempt: 2,
  updated_at: '2026-01-02T03:04:05.000Z',
  progress: { stage: 'merge', done: 1, total: 10, unit: 'bytes' },
} as Job;

function event(changes: Partial<JobEvent>): JobEvent {
  return {
    id: 1,
    job_id: 7,
    at: '2026-01-02T03:04:06.000Z',
    type: 'state',
    state: 'succeeded',
    attempt: 2,
    message: '',
    progress: { stage: 'merge', done: 10, total: 10, unit: 'bytes' },
    ...changes,
  };
}

test('a newer event moves the job', () => {
  const moved = applyEvent(kJob, event({}));
  expect(moved.state).toBe('succeeded');
  expect(moved.progress.done).toBe(10);
});

test('events of another job, an older attempt or an older time change nothing', () => {
  expect(applyEvent(kJob, event({ job_id: 8 }))).toBe(kJob);
  expect(applyEvent(kJob, event({ attempt: 1 }))).toBe(kJob);
  expect(applyEvent(kJob, event({ at: '2026-01-02T03:04:04.000Z' }))).toBe(kJob);
});

test('the answer after an event counts, an overtaken one does not', () => {
  const moved = applyEvent(kJob, event({}));
  const answer = {
    ...kJob,
    state: 'succeeded',
    model_id: 3,
    updated_at: '2026-01-02T03:04:05.900Z',
  } as Job;
  expect(mergeJobs([moved], [answer])[0]!.model_id).toBe(3);
  expect(mergeJobs([answer], [kJob])[0]!.state).toBe('succeeded');
  expect(mergeJobs([kJob], [{ ...kJob, id: 9 }]).map((j) => j.id)).toEqual([9, 7]);
});

test('groups', () => {
  expect(groupOf('publishing')).toBe('active');
  expect(groupOf('retry_wait')).toBe('waiting');
  expect(groupOf('dead')).toBe('finished');
});
