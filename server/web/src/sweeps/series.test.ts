import { expect, test } from 'vitest';
import type { LeaderboardRow, Sweep } from '../api/types';
import { extent, parentLevel, seriesOf } from './series';

const score = (value: number, se: number | null = 0.1) => ({
  value,
  standard_error: se,
  items: 10,
});
const kSweep = {
  suites: ['sums', 'words'],
  trials: [
    { value: 0, scores: { sums: score(0.2) }, mean: null },
    { value: 0.5, scores: { sums: score(0.4) }, mean: score(0.5, null) },
    { value: 1, scores: {}, mean: null },
  ],
} as unknown as Sweep;

test('a series has the scored trials only, a suite without any has none', () => {
  const series = seriesOf(kSweep);
  expect(series.map((s) => s.column)).toEqual(['mean', 'sums']);
  expect(series[0]!.points.map((p) => p.trial)).toEqual([1]);
  expect(series[1]!.points.map((p) => p.value)).toEqual([0, 0.5]);
});

test('the level to beat is the best parent on the board', () => {
  const rows = [
    { model: { id: 1, name: 'a' }, scores: {}, mean: score(0.5) },
    { model: { id: 2, name: 'b' }, scores: {}, mean: score(0.6) },
    { model: { id: 3, name: 'c' }, scores: {}, mean: score(0.9) },
  ] as unknown as LeaderboardRow[];
  const parents = [
    { id: 1, name: 'a' },
    { id: 2, name: 'b' },
  ];
  expect(parentLevel(parents, 'mean', rows)?.model.name).toBe('b');
  expect(parentLevel([], 'mean', rows)).toBeNull();
});

test('the extent covers intervals and the level', () => {
  const values = extent(seriesOf(kSweep), { model: { id: 1, name: 'a' }, score: score(0.95) });
  expect(Math.min(...values)).toBeCloseTo(0.2 - 0.196);
  expect(Math.max(...values)).toBe(0.95);
});
