import { expect, test } from 'vitest';
import { rowWindow } from './virtual_rows';

test('rows and gaps together are as high as the table', () => {
  for (const top of [0, 500, 17_777, 360_000, 1e9, -50]) {
    const { first, last, above, below } = rowWindow(top, 500, 36, 10_000);
    expect(above + (last - first) * 36 + below).toBe(360_000);
    expect(last - first).toBeLessThan(45);
    expect(last - first).toBeGreaterThan(13);
  }
});

test('what is in sight exists', () => {
  const { first, last } = rowWindow(3600, 500, 36, 10_000);
  expect(first).toBeLessThanOrEqual(100);
  expect(last).toBeGreaterThanOrEqual(114);
});

test('short tables exist whole', () => {
  expect(rowWindow(0, 500, 36, 3)).toEqual({ first: 0, last: 3, above: 0, below: 0 });
  expect(rowWindow(900, 500, 36, 0)).toEqual({ first: 0, last: 0, above: 0, below: 0 });
});
