import { expect, test } from 'vitest';
import { outlines, pathOf, spoke } from '../chart/radar_geometry';
import { compareHash, readCompareQuery, readIds } from './compare_query';

const read = (text: string) => readCompareQuery(new URLSearchParams(text));

test('ids: whole numbers, each once, six at most', () => {
  expect(readIds('3,1,3,x,-2,0,1e3')).toEqual([3, 1]);
  expect(readIds('1,2,3,4,5,6,7')).toEqual([1, 2, 3, 4, 5, 6]);
  expect(readIds(null)).toEqual([]);
});

test('the reference is one of the models, the pair is it and another', () => {
  expect(read('models=1,2,3&ref=2&against=3')).toMatchObject({ reference: 2, against: 3 });
  expect(read('models=1,2,3&ref=9&against=1')).toMatchObject({ reference: 1, against: 2 });
  expect(read('models=4')).toMatchObject({ reference: 4, against: null });
  expect(read('').reference).toBeNull();
  expect(read('show=odd').show).toBe('all');
});

test('addresses', () => {
  expect(compareHash([1, 2])).toBe('#/compare?models=1,2');
  expect(compareHash([1, 2], 2)).toBe('#/compare?models=1,2&ref=2');
});

test('the first spoke points up, the second of four to the right', () => {
  expect(spoke(0, 4, 10).y).toBeCloseTo(-10);
  expect(spoke(1, 4, 10).x).toBeCloseTo(10);
});

test('an outline is closed only where every spoke has a value', () => {
  const whole = outlines([1, 0.5, 1], 10);
  expect(whole).toHaveLength(1);
  expect(pathOf(whole[0]!)).toMatch(/^M0\.0 -10\.0L.*Z$/);
  const broken = outlines([1, null, 1, 1], 10);
  expect(broken.map((run) => [run.points.length, run.closed])).toEqual([[3, false]]);
  expect(outlines([null, null, null], 10)).toEqual([]);
});
