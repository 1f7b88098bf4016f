import type { Evaluation } from '../api/types';
import { route, setQuery } from '../route/router';
import { DownloadSamples } from '../samples/download';
import { ItemBrowser } from '../samples/item_browser';
import { ItemRow, said } from '../samples/item_row';
import { OutcomeBadge } from '../samples/outcome_badge';
import { mentions, type Outcome, outcomeOf, type Samples } from '../samples/sample';
import { useSamples } from '../samples/use_samples';
import { latestBySuite } from '../stats/latest';
import { FilterChoice } from '../ui/filter_choice';
import { ProblemPanel } from '../ui/problem_panel';
import { Loading } from '../ui/states';

type Show = Outcome | 'all';

function shownFrom(text: string | null): Show {
  return text === 'right' || text === 'wrong' || text === 'graded' ? text : 'all';
}

function ItemFilters({ samples, show }: { samples: Samples; show: Show }) {
  const count = (outcome: Outcome) =>
    samples.samples.filter((sample) => outcomeOf(sample) === outcome).length;
  const graded = count('graded');
  return (
    <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
      <FilterChoice<Show>
        legend="Show"
        name="show"
        chosen={show}
        onChange={(value) => setQuery({ show: value === 'all' ? null : value })}
        options={[
          { value: 'all', title: 'All', count: samples.samples.length },
          { value: 'right', title: 'Right', count: count('right') },
          { value: 'wrong', title: 'Wrong', count: count('wrong') },
          ...(graded > 0 ? [{ value: 'graded' as const, title: 'Graded', count: graded }] : []),
        ]}
      />
      <label class="field grow">
        <span>Find in items and answers</span>
        <input
          type="search"
          name="items-q"
          value={route.value.query.get('q') ?? ''}
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
        />
      </label>
    </form>
  );
}

function ItemList({ evaluation, name }: { evaluation: Evaluation; name: string }) {
  const found = useSamples([evaluation.id]);
  const { query } = route.value;
  const show = shownFrom(query.get('show'));
  if (found.problem) return <ProblemPanel problem={found.problem} onRetry={found.reload} />;
  const samples = found.data?.[0];
  if (!samples || found.loading) return <Loading what="items" />;
  const text = query.get('q') ?? '';
  const items = samples.samples.filter(
    (sample) => (show === 'all' || outcomeOf(sample) === show) && mentions(text, sample),
  );
  return (
    <>
      <ItemFilters samples={samples} show={show} />
      <p class="muted small" role="status">
        {items.length} of {samples.samples.length} items.
        {samples.unread > 0 && ` ${samples.unread} lines of the file are no items.`}
      </p>
      <ItemBrowser
        id="items"
        label="Items"
        items={items}
        keyOf={(sample) => sample.key}
        chosen={query.get('item') ?? ''}
        onChoose={(item) => setQuery({ item })}
        row={(sample) => (
          <ItemRow
            sample={sample}
            badge={<OutcomeBadge sample={sample} />}
            said={`said: ${said(sample)}`}
          />
        )}
        answers={(sample) => [{ name, sample }]}
      />
    </>
  );
}

/** Every item of an evaluation with the model's answer. */
export function ItemSection({ evaluations, name }: { evaluations: Evaluation[]; name: string }) {
  const latest = latestBySuite(evaluations);
  const suites = [...latest.keys()].sort();
  const asked = route.value.query.get('suite') ?? '';
  const suite = suites.includes(asked) ? asked : (suites[0] ?? '');
  const evaluation = latest.get(suite);
  if (!evaluation) return null;
  return (
    <section class="part" aria-labelledby="items-title">
      <h2 id="items-title">Item by item</h2>
      <div class="filters">
        <label class="field">
          <span>Suite</span>
          <select
            name="suite"
            value={suite}
            onChange={(e) => setQuery({ suite: e.currentTarget.value, item: null })}
          >
            {suites.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <DownloadSamples evaluation={evaluation} />
      </div>
      <ItemList evaluation={evaluation} name={name} />
    </section>
  );
}
