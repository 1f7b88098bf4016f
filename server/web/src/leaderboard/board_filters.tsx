import { setQuery } from '../route/router';
import { type BoardQuery, defaultOrder } from './board_query';

interface Props {
  query: BoardQuery;
  methods: string[];
  suites: string[];
}

export function BoardFilters({ query, methods, suites }: Props) {
  const shown = query.suites.length === 0 ? suites : query.suites;
  const toggle = (name: string) => {
    const next = shown.includes(name) ? shown.filter((s) => s !== name) : suites.filter((s) => s === name || shown.includes(s));
    if (next.length === 0) return; // one column has to stay
    setQuery({ suites: next.length === suites.length ? null : next.join(',') });
  };
  const sortBy = (sort: string) => setQuery({ sort: sort === 'mean' ? null : sort, order: null });
  const turn = () => {
    const order = query.order === 'asc' ? 'desc' : 'asc';
    setQuery({ order: order === defaultOrder(query.sort) ? null : order });
  };
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
      <label class="field">
        <span>Method</span>
        <select name="method" value={query.method} onChange={(e) => setQuery({ method: e.currentTarget.value })}>
          <option value="">All</option>
          <option value="none">Registered models</option>
          {methods.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
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
          <button type="button" class="button" onClick={turn} aria-label={`Order: ${query.order === 'asc' ? 'ascending' : 'descending'}; turn`}>
            {query.order === 'asc' ? '↑' : '↓'}
          </button>
        </span>
      </div>
      <fieldset class="chips">
        <legend>Suites</legend>
        {suites.map((name) => (
          <label key={name} class="chip">
            <input type="checkbox" name="board-suite" value={name} checked={shown.includes(name)} onChange={() => toggle(name)} />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
    </form>
  );
}
