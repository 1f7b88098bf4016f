import { setQuery } from '../route/router';
import { type BoardQuery, defaultOrder } from './board_query';

interface Props {
  query: BoardQuery;
  methods: string[];
  suites: string[];
}

function MethodField({ query, methods }: Omit<Props, 'suites'>) {
  return (
    <label class="field">
      <span>Method</span>
      <select
        name="method"
        value={query.method}
        onChange={(e) => setQuery({ method: e.currentTarget.value })}
      >
        <option value="">All</option>
        <option value="none">Registered models</option>
        {methods.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function SortField({ query, suites }: Omit<Props, 'methods'>) {
  const up = query.order === 'asc';
  const sortBy = (sort: string) => setQuery({ sort: sort === 'mean' ? null : sort, order: null });
  const turn = () => {
    const order = up ? 'desc' : 'asc';
    setQuery({ order: order === defaultOrder(query.sort) ? null : order });
  };
  return (
    <div class="field">
      <label for="board-sort">Sort by</label>
      <span class="joined">
        <select id="board-sort" value={query.sort} onChange={(e) => sortBy(e.currentTarget.value)}>
          <option value="mean">Mean</option>
          {suites.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
          <option value="name">Name</option>
          <option value="created">Newest</option>
        </select>
        <button
          type="button"
          class="button"
          onClick={turn}
          aria-label={up ? 'Ascending; turn to descending' : 'Descending; turn to ascending'}
        >
          {up ? '↑' : '↓'}
        </button>
      </span>
    </div>
  );
}

function SuiteChips({ query, suites }: Omit<Props, 'methods'>) {
  const shown = query.suites.length === 0 ? suites : query.suites;
  const toggle = (name: string) => {
    const next = suites.filter((s) => (s === name ? !shown.includes(s) : shown.includes(s)));
    if (next.length === 0) return; // one column has to stay
    setQuery({ suites: next.length === suites.length ? null : next.join(',') });
  };
  return (
    <fieldset class="chips">
      <legend>Suites</legend>
      {suites.map((name) => (
        <label key={name} class="chip">
          <input
            type="checkbox"
            name="board-suite"
            value={name}
            checked={shown.includes(name)}
            onChange={() => toggle(name)}
          />
          <span>{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function BoardFilters({ query, methods, suites }: Props) {
  return (
    <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
      <label class="field">
        <span>Find</span>
        <input
          type="search"
          name="q"
          value={query.text}
          placeholder="name, parent, digest"
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
        />
      </label>
      <MethodField query={query} methods={methods} />
      <SortField query={query} suites={suites} />
      <SuiteChips query={query} suites={suites} />
    </form>
  );
}
