import { setQuery } from '../route/router';
import type { Series } from './series';

interface Props {
  series: Series[];
  shown: ReadonlySet<string>;
}

/** The chart's legend; each entry shows or hides its line. Kept in the URL as `show`. */
export function LineChoice({ series, shown }: Props) {
  const toggle = (column: string) => {
    const next = new Set(shown);
    if (!next.delete(column)) next.add(column);
    if (next.size === 0) return; // one line has to stay
    const names = series.map((s) => s.column).filter((name) => next.has(name));
    setQuery({ show: names.join(',') === 'mean' ? null : names.join(',') });
  };
  return (
    <fieldset class="chips">
      <legend>Lines</legend>
      {series.map(({ column, index }) => (
        <label key={column} class={`chip series-${index % 7}`}>
          <input
            type="checkbox"
            name="line"
            value={column}
            checked={shown.has(column)}
            onChange={() => toggle(column)}
          />
          <span class="swatch" aria-hidden="true" />
          <span>{column}</span>
        </label>
      ))}
    </fieldset>
  );
}
