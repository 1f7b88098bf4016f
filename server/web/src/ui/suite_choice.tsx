import type { Suite } from '../api/types';

interface Props {
  legend: string;
  suites: Suite[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: Set<string>) => void;
}

/** Suites as checkboxes; one that cannot be used says why. */
export function SuiteChoice({ legend, suites, chosen, onChange }: Props) {
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    onChange(next);
  };
  return (
    <fieldset class="choices">
      <legend>{legend}</legend>
      {suites.map((suite) => (
        <label key={suite.name} class="choice" title={suite.description}>
          <input
            type="checkbox"
            name="suite"
            value={suite.name}
            checked={chosen.has(suite.name)}
            disabled={suite.error !== null}
            onChange={() => toggle(suite.name)}
          />
          <span>{suite.name}</span>
          {suite.error === null ? (
            <span class="muted">{suite.items > 0 ? `${suite.items} items` : 'built in'}</span>
          ) : (
            <span class="text-bad">{suite.error}</span>
          )}
        </label>
      ))}
      {suites.length === 0 && <p class="muted">No suites are installed.</p>}
    </fieldset>
  );
}
