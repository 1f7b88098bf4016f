import { expect, test } from 'vitest';
import type { LeaderboardRow } from '../api/types';
import { deltaToBestParent, interval } from './delta';

function row(id: number, value: number, se: number | null, parents: number[] = []): LeaderboardRow {
  return {
    rank: 1,
    model: { id, name: `m${id}` },
    origin: parents.length ? 'merged' : 'registered',
    merge_method: parents.length ? 'slerp' : '',
    digest: '',
    parents: parents.map((p) => ({ id: p, name: `m${p}` })),
    is_parent: false,
    tuned_on: [],
    sweep_id: null,
    scores: { words: { value, standard_error: se, items: 100 } },
    mean: null,
  };
}

function board(...rows: LeaderboardRow[]): Map<number, LeaderboardRow> {
  return new Map(rows.map((r) => [r.model.id, r]));
}

test('the delta is to the best parent, its error from independent errors', () => {
  const merge = row(3, 0.7, 0.03, [1, 2]);
  const delta = deltaToBestParent(
    merge,
    'words',
    board(row(1, 0.4, 0.05), row(2, 0.5, 0.04), merge),
  );
  expect(delta?.parent.id).toBe(2);
  expect(delta?.value).toBeCloseTo(0.2);
  expect(delta?.standard_error).toBeCloseTo(0.05);
  expect(delta?.within_noise).toBe(false);
});

test('a delta below 1.96 standard errors is within noise', () => {
  const merge = row(3, 0.59, 0.03, [2]);
  const rows = board(row(2, 0.5, 0.04), merge);
  expect(deltaToBestParent(merge, 'words', rows)?.within_noise).toBe(true);
});

test('no parent on the board, or no score in the column: no delta', () => {
  const merge = row(3, 0.59, 0.03, [9]);
  expect(deltaToBestParent(merge, 'words', board(merge))).toBeNull();
  expect(deltaToBestParent(row(1, 0.5, 0.1), 'words', board(merge))).toBeNull();
  expect(deltaToBestParent(row(3, 0.5, 0.1, [2]), 'sums', board(row(2, 0.5, 0.1)))).toBeNull();
});

test('an unknown error leaves the verdict open', () => {
  const merge = row(3, 0.59, null, [2]);
  const delta = deltaToBestParent(merge, 'words', board(row(2, 0.5, 0.04), merge));
  expect(delta?.within_noise).toBeNull();
});

test('a score that has an interval shows that one', () => {
  const wilson = { low: 0.66, high: 1, kind: 'wilson' as const };
  expect(interval({ value: 1, standard_error: 0, interval: wilson })).toEqual({
    low: 0.66,
    high: 1,
  });
});

test('intervals stay within 0 and 1', () => {
  expect(interval({ value: 0.99, standard_error: 0.02, items: 9 })).toEqual({
    low: 0.99 - 1.96 * 0.02,
    high: 1,
  });
  expect(interval({ value: 0.5, standard_error: null, items: 9 })).toBeNull();
});
