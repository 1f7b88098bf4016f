import { useEffect, useRef } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { valueText } from './dimensions';
import { StandingText } from './standing';
import { share } from './texts';

interface Props {
  candidate: Candidate;
  suites: string[];
  busy: boolean;
  onFork: (trial: number) => void;
  onClose: () => void;
}

function Facts({ candidate, suites }: Pick<Props, 'candidate' | 'suites'>) {
  const { trial, standing, seen, estimate, model, values } = candidate;
  return (
    <dl class="facts">
      <dt>{trial === null ? 'Takes part as' : 'Standing'}</dt>
      <dd>{trial === null ? 'reference' : <StandingText standing={standing} />}</dd>
      <dt>Estimate</dt>
      <dd>
        {share(estimate)} % of {seen} tune items
        {suites.length > 1 &&
          ` (${suites.map((suite, i) => `${suite} ${share(candidate.suites[i])} %`).join(', ')})`}
      </dd>
      {model !== null && (
        <>
          <dt>Model</dt>
          <dd>{model}</dd>
        </>
      )}
      {Object.entries(values).map(([name, value]) => (
        <>
          <dt key={`${name} name`}>
            <code>{name}</code>
          </dt>
          <dd key={name}>{valueText(value)}</dd>
        </>
      ))}
    </dl>
  );
}

/** One trial or reference with its recipe. */
export function TrialDetail({ candidate, suites, busy, onFork, onClose }: Props) {
  const { name, trial, failure, recipe } = candidate;
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    head.current?.focus();
  }, [name]);
  return (
    <section class="panel detail" aria-labelledby="trial-title" data-testid="trial-detail">
      <div class="view-head detail-head">
        <h2 id="trial-title" ref={head} tabIndex={-1}>
          {trial === null ? name : `Trial ${name}`}
        </h2>
        <span class="actions head-actions">
          {trial !== null && (
            <button
              type="button"
              class="button small"
              disabled={busy}
              data-action="fork"
              onClick={() => onFork(trial)}
            >
              Fork a search from {name}
            </button>
          )}
          <button type="button" class="button small" onClick={onClose}>
            Close
          </button>
        </span>
      </div>
      {failure !== null && (
        <p class="problem" data-testid="failure">
          {failure}
        </p>
      )}
      <Facts candidate={candidate} suites={suites} />
      {recipe !== '' && (
        <div>
          <h3>Recipe</h3>
          <pre class="code-block">{recipe}</pre>
        </div>
      )}
    </section>
  );
}
