import { useState } from 'preact/hooks';
import type { SweepBudget } from '../api/types';
import { kLimits, type Limit } from './document';

const kTitles: Record<Limit, string> = {
  trials: 'Trials',
  items: 'Answers',
  tokens: 'Tokens',
  minutes: 'Minutes',
};

type Texts = Record<Limit, string>;

function textsOf(budget: SweepBudget): Texts {
  const text = (limit: Limit) => String(budget[limit] ?? '');
  return {
    trials: text('trials'),
    items: text('items'),
    tokens: text('tokens'),
    minutes: text('minutes'),
  };
}

/** The limits that were changed; a text that says what is wrong with one. */
export function changedBudget(old: SweepBudget, texts: Texts): SweepBudget | string {
  const changed: SweepBudget = {};
  for (const limit of kLimits) {
    const text = texts[limit].trim();
    const value = text === '' ? 0 : Number(text);
    if (!Number.isFinite(value) || value < 0 || (limit !== 'minutes' && !Number.isInteger(value)))
      return `${kTitles[limit]}: a ${limit === 'minutes' ? '' : 'whole '}number, 0 or empty for no limit.`;
    if (value !== (old[limit] ?? 0)) changed[limit] = value;
  }
  return Object.keys(changed).length === 0 ? 'No limit was changed.' : changed;
}

interface Props {
  budget: SweepBudget;
  busy: boolean;
  onExtend: (budget: SweepBudget) => void;
  onClose: () => void;
}

/** New limits to go on with. */
export function BudgetForm({ budget, busy, onExtend, onClose }: Props) {
  const [texts, setTexts] = useState(() => textsOf(budget));
  const [fault, setFault] = useState('');
  return (
    <form
      class="panel budget-form"
      aria-label="Extend the budget"
      onSubmit={(event) => {
        event.preventDefault();
        const changed = changedBudget(budget, texts);
        setFault(typeof changed === 'string' ? changed : '');
        if (typeof changed !== 'string') onExtend(changed);
      }}
    >
      <p class="muted small">
        In all, with what is spent already; empty is no limit. The search goes on from where it is.
      </p>
      <div class="row">
        {kLimits.map((limit) => (
          <label key={limit} class="field narrow">
            <span>{kTitles[limit]}</span>
            <input
              name={`budget-${limit}`}
              inputMode="decimal"
              value={texts[limit]}
              onInput={(event) => setTexts({ ...texts, [limit]: event.currentTarget.value })}
            />
          </label>
        ))}
        <button type="submit" class="button primary" disabled={busy}>
          Go on with this budget
        </button>
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
      {fault !== '' && (
        <p class="text-bad" role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}
