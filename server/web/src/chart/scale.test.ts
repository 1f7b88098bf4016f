import { expect, test } from 'vitest';
import { linearScale, nearest, niceStep, shareDomain, ticks } from './scale';

test('a scale maps ends to ends, also upside down', () => {
  const y = linearScale([0, 1], [200, 0]);
  expect(y(0)).toBe(200);
  expect(y(1)).toBe(0);
  expect(y(0.25)).toBe(150);
});

test('a domain of one value maps to the middle', () => {
  expect(linearScale([3, 3], [0, 10])(3)).toBe(5);
});

test('steps are 1, 2 or 5 times a power of ten', () => {
  expect(niceStep(1, 5)).toBeCloseTo(0.2);
  expect(niceStep(0.37, 4)).toBeCloseTo(0.1);
  expect(niceStep(0, 4)).toBe(1);
});

test('ticks are round and inside', () => {
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(0.33, 0.71, 4)).toEqual([0.4, 0.5, 0.6, 0.7]);
});

test('the share domain covers its values and stays within 0 and 1', () => {
  const [low, high] = shareDomain([0.02, 0.61, 0.98]);
  expect(low).toBe(0);
  expect(high).toBe(1);
  const narrow = shareDomain([0.52, 0.55]);
  expect(narrow[0]).toBeLessThanOrEqual(0.52);
  expect(narrow[1]).toBeGreaterThanOrEqual(0.55);
  expect(shareDomain([])).toEqual([0, 1]);
});

test('nearest', () => {
  expect(nearest([0, 0.5, 1], 0.7)).toBe(1);
  expect(nearest([], 1)).toBe(-1);
});
