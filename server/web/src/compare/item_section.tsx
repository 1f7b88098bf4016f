import { useMemo } from 'preact/hooks';
import { setQuery } from '../route/router';
import { ItemBrowser } from '../samples/item_browser';
import { ItemRow, said } from '../samples/item_row';
import { PairBadge } from '../samples/outcome_badge';
import { mentions, type Pair, pairSamples, type PairOutcome } from '../samples/sample';
import { useSamples } from '../samples/use_samples';
import { FilterChoice } from '../ui/filter_choice';
import { ProblemPanel } from '../ui/problem_panel';
import { Loading } from '../ui/states';
import type { Compared } from './compared';
import type { CompareQuery } from './compare_query';

interface Props {
  query: CompareQuery;
  reference: Compared;
  others: Compared[];
}

function Choices({
  query,
  suites,
  others,
}: {
  query: CompareQuery;
  suites: string[];
  others: Compared[];
}) {
  return (
    <>
      <label class="field">
        <span>Model</span>
        <select
          name="against"
          value={String(query.against)}
          onChange={(e) => setQuery({ against: e.currentTarget.value, item: null })}
        >
          {others.map(({ model }) => (
            <option key={model.id} value={String(model.id)}>
              {model.name}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Suite</span>
        <select
          name="suite"
          value={query.suite}
          onChange={(e) => setQuery({ suite: e.currentTarget.value, item: null })}
        >
          {suites.map((suite) => (
            <option key={suite} value={suite}>
              {suite}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

function count(pairs: Pair[], outcome: PairOutcome): number {
  return pairs.filter((pair) => pair.outcome === outcome).length;
}

function PairFilters({ query, pairs }: { query: CompareQuery; pairs: Pair[] }) {
  return (
    <>
      <FilterChoice
        legend="Show"
        name="show"
        chosen={query.show}
        onChange={(show) => setQuery({ show: show === 'all' ? null : show })}
        options={[
          { value: 'all', title: 'All', count: pairs.length },
          { value: 'win', title: 'Wins', count: count(pairs, 'win') },
          { value: 'loss', title: 'Losses', count: count(pairs, 'loss') },
          { value: 'tie', title: 'Ties', count: count(pairs, 'tie') },
        ]}
      />
      <label class="field grow">
        <span>Find in items and answers</span>
        <input
          type="search"
          name="items-q"
          value={query.text}
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
        />
      </label>
    </>
  );
}

interface PairsProps {
  query: CompareQuery;
  names: [string, string];
  evaluations: [number, number];
}

function PairList({ query, names, evaluations }: PairsProps) {
  const samples = useSamples(evaluations);
  const pairs = useMemo(() => {
    const [a, b] = samples.data ?? [];
    return a && b ? pairSamples(a.samples, b.samples) : [];
  }, [samples.data]);
  if (samples.problem) return <ProblemPanel problem={samples.problem} onRetry={samples.reload} />;
  if (!samples.data || samples.loading) return <Loading what="items" />;
  const shown = pairs.filter(
    (pair) =>
      (query.show === 'all' || pair.outcome === query.show) && mentions(query.text, pair.a, pair.b),
  );
  const [a, b] = samples.data;
  const alone = Math.max(a?.samples.length ?? 0, b?.samples.length ?? 0) - pairs.length;
  return (
    <>
      <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
        <PairFilters query={query} pairs={pairs} />
      </form>
      <p class="muted small" role="status">
        {shown.length === pairs.length ? `${pairs.length}` : `${shown.length} of ${pairs.length}`}{' '}
        items. A win is {names[0]} doing better than {names[1]}.
        {alone > 0 && ` ${alone} more items are not answered by both, and left out.`}
      </p>
      <ItemBrowser
        id="pairs"
        label="Items"
        items={shown}
        keyOf={(pair) => pair.key}
        chosen={query.item}
        onChoose={(item) => setQuery({ item })}
        row={(pair) => (
          <ItemRow
            sample={pair.a}
            badge={<PairBadge outcome={pair.outcome} />}
            said={`${names[0]}: ${said(pair.a)} · ${names[1]}: ${said(pair.b)}`}
          />
        )}
        answers={(pair) => [
          { name: names[0], sample: pair.a },
          { name: names[1], sample: pair.b },
        ]}
      />
    </>
  );
}

/** Wins and losses of a model against the reference, one by one, with both answers. */
export function ItemSection({ query, reference, others }: Props) {
  const other = others.find(({ model }) => model.id === query.against) ?? others[0]!;
  const suites = [...other.evaluations.keys()]
    .filter((suite) => reference.evaluations.has(suite))
    .sort();
  const suite = suites.includes(query.suite) ? query.suite : (suites[0] ?? '');
  const a = other.evaluations.get(suite);
  const b = reference.evaluations.get(suite);
  const asked = { ...query, suite, against: other.model.id };
  return (
    <section class="part" id="items" aria-labelledby="items-title" tabIndex={-1}>
      <h2 id="items-title">
        Item by item: {other.model.name} against {reference.model.name}
      </h2>
      <div class="filters">
        <Choices query={asked} suites={suites} others={others} />
      </div>
      {a && b ? (
        <PairList
          query={asked}
          names={[other.model.name, reference.model.name]}
          evaluations={[a.id, b.id]}
        />
      ) : (
        <p class="muted">The two have not been scored on one suite.</p>
      )}
    </section>
  );
}
