import { compareHash, kLeastModels, kMostModels, readIds } from '../compare/compare_query';
import { route, setQuery } from '../route/router';
import type { LeaderboardRow } from '../api/types';

/** Models ticked for comparison; in the URL as `pick`. */
export function picked(): number[] {
  return readIds(route.value.query.get('pick'));
}

function pick(ids: number[]): void {
  setQuery({ pick: ids.length === 0 ? null : ids.join(',') });
}

/** A row's checkbox. */
export function PickCell({ row }: { row: LeaderboardRow }) {
  const ids = picked();
  const { id, name } = row.model;
  const on = ids.includes(id);
  return (
    <td class="pick">
      <label class="pick-target">
        <input
          type="checkbox"
          name="pick"
          value={String(id)}
          aria-label={`Compare ${name}`}
          checked={on}
          disabled={!on && ids.length >= kMostModels}
          onChange={() => pick(on ? ids.filter((other) => other !== id) : [...ids, id])}
        />
      </label>
    </td>
  );
}

/** What to do with the ticked rows; stays in view while there are any. */
export function PickBar() {
  const ids = picked();
  if (ids.length === 0) return null;
  const enough = ids.length >= kLeastModels;
  return (
    <div class="pick-bar" role="region" aria-label="Ticked models">
      <p role="status">
        {ids.length === 1
          ? '1 model ticked; tick another to compare'
          : `${ids.length} models ticked`}
        {ids.length === kMostModels && ', the most that fit'}
      </p>
      {enough && (
        <a class="button primary" href={compareHash(ids)}>
          Compare
        </a>
      )}
      <button type="button" class="button" onClick={() => pick([])}>
        Untick all
      </button>
    </div>
  );
}
