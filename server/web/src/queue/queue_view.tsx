import { useEffect, useState } from 'preact/hooks';
import type { Job } from '../api/types';
import { type Group, groupOf } from '../live/job_list';
import { useJobs } from '../live/use_jobs';
import { route } from '../route/router';
import { ProblemPanel } from '../ui/problem_panel';
import { Empty, Loading } from '../ui/states';
import { JobGroup } from './job_group';

const kGroups: { name: Group; title: string; empty: string }[] = [
  { name: 'active', title: 'Active', empty: 'No job is at work.' },
  { name: 'waiting', title: 'Waiting', empty: 'Nothing waits.' },
  { name: 'finished', title: 'Finished', empty: 'Nothing has finished yet.' },
];

/** Jobs of a group; those that wait in the order they came, others newest first. */
function members(jobs: Job[], group: Group): Job[] {
  const found = jobs.filter((job) => groupOf(job.state) === group);
  return group === 'waiting' ? found.reverse() : found;
}

export function QueueView() {
  const { jobs, problem, more, loadMore, put } = useJobs();
  const asked = Number(route.value.query.get('job'));
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set(asked > 0 ? [asked] : []));
  useEffect(() => {
    if (asked > 0) setOpen((old) => new Set(old).add(asked));
  }, [asked]);
  const toggle = (id: number) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  return (
    <>
      <div class="view-head">
        <h1>Queue</h1>
        <a class="button" href="#/submit">
          Submit a merge
        </a>
      </div>
      {problem && <ProblemPanel problem={problem} />}
      {!jobs && !problem && <Loading what="jobs" />}
      {jobs && jobs.length === 0 && (
        <Empty title="No jobs yet">
          <p>
            <a href="#/submit">Submit a recipe</a>; its merge and evaluations appear here.
          </p>
        </Empty>
      )}
      {jobs &&
        jobs.length > 0 &&
        kGroups.map((group) => (
          <JobGroup
            key={group.name}
            {...group}
            jobs={members(jobs, group.name)}
            open={open}
            onToggle={toggle}
            onChange={put}
          />
        ))}
      {more && (
        <button type="button" class="button" onClick={loadMore}>
          Older jobs
        </button>
      )}
    </>
  );
}
