import type { Evaluation } from '../api/types';
import { count, kNone, percent } from '../format/number';
import { duration } from '../format/time';
import { TableScroll } from '../ui/table_scroll';
import { TimeAgo } from '../ui/time_ago';

/** Share of the prompts' tokens that had to be computed; the others were shared between prompts. */
function computedText({ prompt_tokens_asked, prompt_tokens_computed }: Evaluation): string {
  if (!prompt_tokens_asked || prompt_tokens_computed === undefined) return kNone;
  return `${count(prompt_tokens_computed)} (${percent(prompt_tokens_computed / prompt_tokens_asked)} %)`;
}

function CostRow({ evaluation }: { evaluation: Evaluation }) {
  const { suite, seconds, items, prompt_tokens_asked, engine, dtype, created_at, job_id } =
    evaluation;
  return (
    <tr>
      <th scope="row">{suite}</th>
      <td class="number">{duration(seconds)}</td>
      <td class="number">{items}</td>
      <td class="number">{prompt_tokens_asked ? count(prompt_tokens_asked) : kNone}</td>
      <td class="number">{computedText(evaluation)}</td>
      <td class="muted">
        {engine}, {dtype}
      </td>
      <td class="muted">
        <TimeAgo time={created_at} />
      </td>
      <td>{job_id === null ? kNone : <a href={`#/queue?job=${job_id}`}>job {job_id}</a>}</td>
    </tr>
  );
}

/** What the evaluations took. */
export function CostTable({ evaluations }: { evaluations: Evaluation[] }) {
  return (
    <section class="part" aria-labelledby="cost-title">
      <h2 id="cost-title">What evaluating took</h2>
      <TableScroll label="Table of what evaluating took">
        <table class="plain" data-testid="cost">
          <thead>
            <tr>
              <th scope="col">Suite</th>
              <th scope="col" class="number">
                Time
              </th>
              <th scope="col" class="number">
                Items
              </th>
              <th scope="col" class="number">
                Prompt tokens
              </th>
              <th scope="col" class="number">
                Of them computed
              </th>
              <th scope="col">Engine</th>
              <th scope="col">When</th>
              <th scope="col">Log</th>
            </tr>
          </thead>
          <tbody>
            {evaluations.map((evaluation) => (
              <CostRow key={evaluation.id} evaluation={evaluation} />
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}
