import { useState } from 'preact/hooks';
import type { Job } from '../api/types';
import { TableScroll } from '../ui/table_scroll';
import { JobRow } from './job_row';

interface Props {
  name: string;
  title: string;
  empty: string;
  jobs: Job[];
  open: ReadonlySet<number>;
  onToggle: (id: number) => void;
  onChange: (job: Job) => void;
}

const kFirstRows = 30;

export function JobGroup({ name, title, empty, jobs, open, onToggle, onChange }: Props) {
  const [all, setAll] = useState(false);
  const rows = all ? jobs : jobs.filter((job, index) => index < kFirstRows || open.has(job.id));
  return (
    <section class="group" data-group={name}>
      <h2>
        {title} <span class="count">{jobs.length}</span>
      </h2>
      {jobs.length === 0 ? (
        <p class="muted group-empty">{empty}</p>
      ) : (
        <TableScroll label={title}>
          <table class="plain jobs">
            <thead>
              <tr>
                <th scope="col" class="col-job">
                  Job
                </th>
                <th scope="col">What</th>
                <th scope="col" class="col-state">
                  State
                </th>
                <th scope="col" class="col-situation">
                  Progress
                </th>
                <th scope="col" class="col-when">
                  When
                </th>
                <th scope="col" class="col-actions">
                  <span class="hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((job) => (
                <JobRow
                  key={job.id}
                  job={job}
                  open={open.has(job.id)}
                  onToggle={() => onToggle(job.id)}
                  onChange={onChange}
                />
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
      {rows.length < jobs.length && (
        <button type="button" class="button small group-more" onClick={() => setAll(true)}>
          Show all {jobs.length}
        </button>
      )}
    </section>
  );
}
