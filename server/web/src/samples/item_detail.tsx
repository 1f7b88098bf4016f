import { kNone } from '../format/number';
import { Badge } from '../ui/badge';
import { TableScroll } from '../ui/table_scroll';
import { OutcomeBadge } from './outcome_badge';
import { choiceName, chosenOf, type Sample } from './sample';

/** A model's answer to an item. */
export interface Answer {
  name: string;
  sample: Sample;
}

function Prompt({ prompt }: { prompt: string | null }) {
  return (
    <section aria-label="Prompt">
      <h3>Prompt</h3>
      {prompt === null ? (
        <p class="muted">These samples do not carry the prompt.</p>
      ) : (
        <pre class="code-block prose" tabIndex={0}>
          {prompt}
        </pre>
      )}
    </section>
  );
}

function logprobText(value: number | undefined): string {
  if (value === undefined) return kNone;
  return Number.isFinite(value) ? value.toFixed(2).replace('-', '\u2212') : '\u2212∞';
}

function ChoiceTable({ answers }: { answers: Answer[] }) {
  const first = answers[0]!.sample;
  const count = Math.max(...answers.map(({ sample }) => sample.logprobs.length));
  return (
    <TableScroll label="Log-likelihoods of the choices">
      <table class="plain choices-table">
        <thead>
          <tr>
            <th scope="col">Choice</th>
            {answers.map(({ name }) => (
              <th key={name} scope="col" class="number">
                {name}, log-likelihood
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: count }, (_, i) => (
            <tr key={i} class={first.gold.includes(i) ? 'is-best' : ''}>
              <th scope="row" class="wraps">
                {choiceName(first, i)}{' '}
                {first.gold.includes(i) && <Badge tone="accent">right answer</Badge>}
              </th>
              {answers.map(({ name, sample }) => (
                <td key={name} class="number">
                  {chosenOf(sample) === i && <Badge>chosen</Badge>}{' '}
                  {logprobText(sample.logprobs[i])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Generations({ name, sample }: Answer) {
  return (
    <section class="answer" aria-label={`Answer of ${name}`}>
      <h3>{name} said</h3>
      {sample.generations.map((text, i) => (
        <pre key={i} class="code-block prose" tabIndex={0}>
          {text === '' ? '(nothing)' : text}
        </pre>
      ))}
    </section>
  );
}

function Verdicts({ answers }: { answers: Answer[] }) {
  return (
    <ul class="verdicts">
      {answers.map(({ name, sample }) => (
        <li key={name}>
          <strong>{name}</strong> <OutcomeBadge sample={sample} />
          {sample.truncated && <Badge tone="warn">cut short</Badge>}
          <span class="muted small">
            {Object.entries(sample.metrics)
              .map(([metric, value]) => ` ${metric} ${Number(value.toFixed(4))}`)
              .join(',')}
          </span>
          {sample.note !== '' && <p class="small">{sample.note}</p>}
        </li>
      ))}
    </ul>
  );
}

/** An item with everything known of it, and the answers of one or more models side by side. */
export function ItemDetail({ answers }: { answers: Answer[] }) {
  const first = answers[0]!.sample;
  const likelihoods = answers.some(({ sample }) => sample.logprobs.length > 0);
  const generated = answers.filter(({ sample }) => sample.generations.length > 0);
  return (
    <div class="item-detail" data-testid="item-detail">
      <h3 class="item-title">
        {first.task === '' ? 'Item' : `${first.task}, item`} {first.id}
      </h3>
      <Verdicts answers={answers} />
      <Prompt prompt={first.prompt} />
      {first.target !== '' && (
        <section aria-label="Right answer">
          <h3>Right answer</h3>
          <pre class="code-block prose" tabIndex={0}>
            {first.target}
          </pre>
        </section>
      )}
      {likelihoods && <ChoiceTable answers={answers} />}
      {generated.length > 0 && (
        <div class="answers">
          {generated.map((answer) => (
            <Generations key={answer.name} {...answer} />
          ))}
        </div>
      )}
    </div>
  );
}
