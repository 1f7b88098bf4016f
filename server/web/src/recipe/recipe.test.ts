import { expect, test } from 'vitest';
import type { Model } from '../api/types';
import { castOf, examples } from './examples';
import { findLine } from './line_finder';
import { fillPlaceholder, spread } from './values';

function model(name: string, origin: Model['origin'] = 'registered'): Model {
  return { name, origin } as Model;
}

test('values include both ends and are free of binary noise', () => {
  expect(spread(0, 1, 3)).toEqual([0, 0.5, 1]);
  expect(spread(0, 0.3, 4)).toEqual([0, 0.1, 0.2, 0.3]);
  expect(spread(2, 9, 1)).toEqual([2]);
  expect(spread(0, 1, 0)).toEqual([]);
  expect(spread(Number.NaN, 1, 3)).toEqual([]);
});

test('a placeholder is filled wherever it stands', () => {
  expect(fillPlaceholder('t: ${t}\nw: ${t}', 't', 0.25)).toBe('t: 0.25\nw: 0.25');
  expect(fillPlaceholder('t: 0.5', 'parameters.t', 0.25)).toBe('t: 0.5');
});

test('examples name registered models, with "base" as base', () => {
  const cast = castOf([model('m', 'merged'), model('sums'), model('base'), model('words')]);
  expect(cast).toEqual({ base: 'base', first: 'sums', second: 'words' });
});

test('each example has the parameter that a sweep of it varies', () => {
  for (const example of examples([])) {
    if (example.parameter === '') continue;
    const line = findLine(example.recipe, example.parameter);
    const last = example.parameter.split('.').pop()!;
    expect(example.recipe.split('\n')[line! - 1]).toContain(`${last}:`);
  }
});
