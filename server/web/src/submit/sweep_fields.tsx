import { kNone, plain } from '../format/number';
import { kMostPoints, spread } from '../recipe/values';
import { change, type Draft } from './draft';

export function sweepValues(draft: Draft): number[] {
  if (draft.from.trim() === '' || draft.to.trim() === '') return [];
  return spread(Number(draft.from), Number(draft.to), Number(draft.points));
}

/** Which parameter a sweep varies, and over which values. */
export function SweepFields({ draft }: { draft: Draft }) {
  const values = sweepValues(draft);
  return (
    <fieldset class="sweep-fields">
      <legend>Vary</legend>
      <label class="field grow">
        <span>Parameter</span>
        <input
          name="parameter"
          value={draft.parameter}
          aria-describedby="parameter-note"
          onInput={(e) => change({ parameter: e.currentTarget.value })}
        />
      </label>
      <div class="row">
        <label class="field narrow">
          <span>From</span>
          <input
            name="from"
            inputMode="decimal"
            value={draft.from}
            onInput={(e) => change({ from: e.currentTarget.value })}
          />
        </label>
        <label class="field narrow">
          <span>To</span>
          <input
            name="to"
            inputMode="decimal"
            value={draft.to}
            onInput={(e) => change({ to: e.currentTarget.value })}
          />
        </label>
        <label class="field narrow">
          <span>Points</span>
          <input
            name="points"
            type="number"
            min={1}
            max={kMostPoints}
            value={draft.points}
            onInput={(e) => change({ points: e.currentTarget.value })}
          />
        </label>
      </div>
      <p class="muted small" id="parameter-note">
        A path into the recipe, such as <code>parameters.t</code> or{' '}
        <code>models[1].parameters.weight</code>, or the name of a <code>{'${placeholder}'}</code>{' '}
        in it.
      </p>
      <p class="muted small">
        Trials: {values.length === 0 ? kNone : values.map((value) => plain(value)).join(', ')}
      </p>
    </fieldset>
  );
}
