import { useMemo } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { route, setQuery } from '../route/router';
import { Badge } from '../ui/badge';
import { type Column, VirtualTable } from '../ui/virtual_table';
import { coordinateText, type Dimension, valuesText } from './dimensions';
import { type Filter, orderRows, passes, sortKey } from './order';
import { kStandings } from './series';
import { StandingMark, StandingText } from './standing';
import { number, share } from './texts';

const kFilters: readonly Filter[] = [...kStandings, 'reference'];
const kMostColumns = 8; // varied values with a column each; more share one

interface Props {
  candidates: readonly Candidate[];
  dimensions: readonly Dimension[]; // over the candidates
  suites: string[];
  winner: string | null;
  /** Trials let through by the chart's limits, by name; null = all. */
  chosen: ReadonlySet<string> | null;
  onPick: (name: string) => void;
  onFork: (trial: number) => void;
}

type Row = number;

function forkColumn(
  candidates: readonly Candidate[],
  onFork: (trial: number) => void,
): Column<Row> {
  return {
    name: 'fork',
    title: 'Fork',
    cell: (row) => {
      const { trial, name } = candidates[row]!;
      if (trial === null) return null;
      return (
        <button
          type="button"
          class="link-button"
          aria-label={`Fork from ${name}`}
          onClick={() => onFork(trial)}
        >
          fork
        </button>
      );
    },
  };
}

function suiteColumn(candidates: readonly Candidate[], suite: string, at: number): Column<Row> {
  return {
    name: `suite ${suite}`,
    title: `${suite}, %`,
    number: true,
    sortable: true,
    cell: (row) => share(candidates[row]!.suites[at]),
  };
}

function columnsOf(props: Props): Column<Row>[] {
  const { candidates, dimensions, suites, winner, onPick, onFork } = props;
  const values: Column<Row>[] =
    dimensions.length <= kMostColumns
      ? dimensions.map((dimension) => ({
          name: `value ${dimension.name}`,
          title: dimension.name,
          number: dimension.kind === 'number',
          sortable: true,
          cell: (row) => coordinateText(dimension, dimension.at[row]!),
        }))
      : [{ name: 'values', title: 'Values', cell: (row) => valuesText(candidates[row]!.values) }];
  return [
    {
      name: 'name',
      title: 'Name',
      sortable: true,
      cell: (row) => (
        <>
          <button type="button" class="name-button" onClick={() => onPick(candidates[row]!.name)}>
            {candidates[row]!.name}
          </button>
          {candidates[row]!.name === winner && <Badge tone="accent">winner</Badge>}
        </>
      ),
    },
    ...values,
    {
      name: 'standing',
      title: 'Standing',
      sortable: true,
      cell: (row) =>
        candidates[row]!.trial === null ? (
          'reference'
        ) : (
          <StandingText standing={candidates[row]!.standing} />
        ),
    },
    {
      name: 'items',
      title: 'Items',
      number: true,
      sortable: true,
      cell: (row) => candidates[row]!.seen,
    },
    {
      name: 'estimate',
      title: 'Estimate, %',
      number: true,
      sortable: true,
      cell: (row) => share(candidates[row]!.estimate),
    },
    ...suites.map((suite, i) => suiteColumn(candidates, suite, i)),
    forkColumn(candidates, onFork),
  ];
}

function filtersOf(text: string | null): Set<Filter> {
  const asked = (text ?? '').split(',');
  return new Set(kFilters.filter((filter) => asked.includes(filter)));
}

function Filters({ filters }: { filters: ReadonlySet<Filter> }) {
  const toggle = (filter: Filter) => {
    const next = new Set(filters);
    if (!next.delete(filter)) next.add(filter);
    setQuery({ standing: kFilters.filter((one) => next.has(one)).join(',') });
  };
  return (
    <fieldset class="chips">
      <legend>Show only</legend>
      {kFilters.map((filter) => (
        <label key={filter} class="chip">
          <input
            type="checkbox"
            name="standing"
            value={filter}
            checked={filters.has(filter)}
            onChange={() => toggle(filter)}
          />
          {filter !== 'reference' && <StandingMark standing={filter} />}
          <span>{filter === 'reference' ? 'references' : filter}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** The rows to show, in the order and by the filters that the address holds. */
function useRows({ candidates, dimensions, suites, chosen }: Props) {
  const { query } = route.value;
  const column = query.get('sort') ?? '';
  const descending = query.get('order') !== 'asc';
  const wanted = query.get('standing');
  const ordered = useMemo(
    () => orderRows(candidates, sortKey(column, candidates, dimensions, suites), descending),
    [candidates, dimensions, column, descending],
  );
  const filters = useMemo(() => filtersOf(wanted), [wanted]);
  const rows = useMemo(
    () =>
      ordered.filter((row) => {
        const one = candidates[row]!;
        return passes(one, filters) && (!chosen || one.trial === null || chosen.has(one.name));
      }),
    [ordered, filters, chosen],
  );
  return { rows, filters, sort: { column, descending } };
}

/** A column's head sorts by it, its second click turns, its third goes back to the rank. */
function sortBy(name: string, { column, descending }: { column: string; descending: boolean }) {
  if (column !== name) setQuery({ sort: name, order: null });
  else if (descending) setQuery({ order: 'asc' });
  else setQuery({ sort: null, order: null });
}

/** All candidates, sortable and filtered; only the rows in sight exist. */
export function TrialsTable(props: Props) {
  const { candidates, dimensions, suites } = props;
  const { rows, filters, sort } = useRows(props);
  const columns = useMemo(
    () => columnsOf(props),
    [candidates, dimensions, suites, props.winner, props.onFork, props.onPick],
  );
  const shown = route.value.query.get('trial');
  return (
    <section aria-labelledby="trials-title" class="group">
      <div class="trials-head">
        <h2 id="trials-title">
          Trials and references{' '}
          <span class="count" data-testid="shown-rows">
            {number(rows.length)}
            {rows.length < candidates.length && ` of ${number(candidates.length)}`}
          </span>
        </h2>
        <Filters filters={filters} />
      </div>
      <VirtualTable
        label="Trials and references"
        testId="candidates"
        columns={columns}
        rows={rows}
        rowKey={(row) => candidates[row]!.name}
        rowClass={(row) => (candidates[row]!.name === shown ? 'is-best' : '')}
        sort={sort}
        onSort={(name) => sortBy(name, sort)}
      />
    </section>
  );
}
