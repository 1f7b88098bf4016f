import type { Brushes, Stretch } from './brush';
import type { Dimension } from './dimensions';
import { coordinateText } from './dimensions';

interface Props {
  axes: readonly Dimension[];
  brushes: Brushes;
  onStretch: (name: string, stretch: Stretch | null) => void;
}

interface OneProps {
  axis: Dimension;
  stretch: Stretch | undefined;
  onStretch: (stretch: Stretch | null) => void;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function NumberLimits({ axis, stretch, onStretch }: OneProps) {
  const set = (end: 'low' | 'high', text: string) => {
    const value = text.trim() === '' ? axis[end] : Number(text);
    if (!Number.isFinite(value)) return;
    const next = { low: stretch?.low ?? axis.low, high: stretch?.high ?? axis.high, [end]: value };
    onStretch(next.low <= axis.low && next.high >= axis.high ? null : next);
  };
  return (
    <>
      {(['low', 'high'] as const).map((end) => (
        <input
          key={end}
          type="number"
          step="any"
          aria-label={`${axis.name}, ${end === 'low' ? 'at least' : 'at most'}`}
          placeholder={coordinateText(axis, axis[end])}
          value={stretch ? rounded(stretch[end]) : ''}
          onChange={(event) => set(end, event.currentTarget.value)}
        />
      ))}
    </>
  );
}

function CategoryLimits({ axis, stretch, onStretch }: OneProps) {
  const ends = {
    low: Math.max(0, Math.ceil(stretch?.low ?? 0)),
    high: Math.min(axis.high, Math.floor(stretch?.high ?? axis.high)),
  };
  const set = (end: 'low' | 'high', value: number) => {
    const next = { ...ends, [end]: value };
    onStretch(next.low === 0 && next.high === axis.high ? null : next);
  };
  return (
    <>
      {(['low', 'high'] as const).map((end) => (
        <select
          key={end}
          aria-label={`${axis.name}, ${end === 'low' ? 'from' : 'to'}`}
          value={ends[end]}
          onChange={(event) => set(end, Number(event.currentTarget.value))}
        >
          {axis.labels.map((label, i) => (
            <option key={label} value={i}>
              {label}
            </option>
          ))}
        </select>
      ))}
    </>
  );
}

/** The limits of every axis as fields, for keyboards and exact numbers. */
export function BrushInputs({ axes, brushes, onStretch }: Props) {
  return (
    <details class="limits">
      <summary>Limits of the axes</summary>
      <div class="limit-grid">
        {axes.map((axis) => {
          const Limits = axis.kind === 'number' ? NumberLimits : CategoryLimits;
          return (
            <fieldset key={axis.name} class="limit">
              <legend>{axis.name}</legend>
              <Limits
                axis={axis}
                stretch={brushes.get(axis.name)}
                onStretch={(stretch) => onStretch(axis.name, stretch)}
              />
            </fieldset>
          );
        })}
      </div>
    </details>
  );
}
