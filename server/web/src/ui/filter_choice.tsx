interface Option<T extends string> {
  value: T;
  title: string;
  count?: number;
}

interface Props<T extends string> {
  legend: string;
  name: string;
  options: Option<T>[];
  chosen: T;
  onChange: (value: T) => void;
}

/** One of a few, as radio buttons in chips, with the number of rows that each would show. */
export function FilterChoice<T extends string>(props: Props<T>) {
  const { legend, name, options, chosen, onChange } = props;
  return (
    <fieldset class="chips">
      <legend>{legend}</legend>
      {options.map(({ value, title, count }) => (
        <label key={value} class="chip">
          <input
            type="radio"
            name={name}
            value={value}
            checked={chosen === value}
            onChange={() => onChange(value)}
          />
          <span>{title}</span>
          {count !== undefined && <span class="muted">{count}</span>}
        </label>
      ))}
    </fieldset>
  );
}
