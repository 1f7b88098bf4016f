import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Model } from '../api/types';
import { JobLog } from '../queue/job_log';
import { duration } from '../format/time';
import { DigestText } from '../ui/digest';
import { ProblemPanel } from '../ui/problem_panel';
import { TimeAgo } from '../ui/time_ago';
import { ModelFacts } from './model_facts';

function MergeFacts({ job }: { job: number }) {
  const found = useResource(`job ${job}`, (signal) => api.job(job, signal));
  if (found.problem)
    return (
      <>
        <dt>Merge</dt>
        <dd>
          <ProblemPanel problem={found.problem} onRetry={found.reload} />
        </dd>
      </>
    );
  if (!found.data) return null;
  const { recipe_digest, seed, started_at, finished_at, attempt } = found.data;
  const took =
    started_at && finished_at ? (Date.parse(finished_at) - Date.parse(started_at)) / 1000 : null;
  return (
    <>
      {recipe_digest !== '' && (
        <>
          <dt>Recipe digest</dt>
          <dd>
            <DigestText digest={recipe_digest} />
          </dd>
        </>
      )}
      <dt>Seed</dt>
      <dd>{seed}</dd>
      {took !== null && (
        <>
          <dt>Merging took</dt>
          <dd>
            {duration(took)}
            {attempt > 1 && `, at attempt ${attempt}`}
          </dd>
        </>
      )}
    </>
  );
}

/** What the model is on disk, how it came to be, and the log of its merge. */
export function ArtefactSection({ model }: { model: Model }) {
  return (
    <section class="part" aria-labelledby="facts-title">
      <h2 id="facts-title">Facts</h2>
      <ModelFacts model={model}>
        {model.removed_at && (
          <>
            <dt>Files</dt>
            <dd>
              removed <TimeAgo time={model.removed_at} />; the recipe makes them again
            </dd>
          </>
        )}
        {model.pinned_at && (
          <>
            <dt>Pinned</dt>
            <dd>garbage collection leaves it alone</dd>
          </>
        )}
        {model.job_id !== null && <MergeFacts job={model.job_id} />}
      </ModelFacts>
      {model.job_id !== null && <MergeLog job={model.job_id} />}
    </section>
  );
}

function MergeLog({ job }: { job: number }) {
  return (
    <details class="merge-log">
      <summary>Log of the merge</summary>
      <JobLog id={job} />
    </details>
  );
}
