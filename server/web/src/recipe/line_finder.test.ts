import { describe, expect, test } from 'vitest';
import { findLine, lineOfFault, parsePath, withoutLine } from './line_finder';

const kTies = `# a comment
merge_method: ties
base_model: base
models:
  - model: sums
    parameters:
      density: 0.5
      weight: 0.5

  - model: words
    parameters:
      density: [1, 0.7, 0.1]
      wieght: 0.5
parameters: {normalize: true}
dtype: bfloat16
`;

const kSlices = `slices:
- sources:
  - model: a
    layer_range: [0, 4]
- sources:
  - model: b
    layer_range: [2, 6]
  -
    model: c
merge_method: passthrough
`;

test('paths split into names and indices', () => {
  expect(parsePath('slices[2].sources[0].layer_range')).toEqual([
    'slices',
    2,
    'sources',
    0,
    'layer_range',
  ]);
  expect(parsePath('modules["text.decoder"].models[0]')).toEqual([
    'modules',
    'text.decoder',
    'models',
    0,
  ]);
  expect(parsePath('')).toEqual([]);
});

describe('lines', () => {
  test('a key of the second model, and not the first', () => {
    expect(findLine(kTies, 'models[1].parameters.wieght')).toBe(13);
    expect(findLine(kTies, 'models[0].parameters.weight')).toBe(8);
    expect(findLine(kTies, 'models[1].model')).toBe(10);
  });
  test('a top-level key after nested ones of the same name', () => {
    expect(findLine(kTies, 'parameters')).toBe(14);
    expect(findLine(kTies, 'dtype')).toBe(15);
  });
  test('inside flow style the line of the flow', () => {
    expect(findLine(kTies, 'parameters.normalize')).toBe(14);
    expect(findLine(kTies, 'models[1].parameters.density[2]')).toBe(12);
  });
  test('a missing key gives the deepest line there is', () => {
    expect(findLine(kTies, 'models[1].parameters.lambda')).toBe(11);
    expect(findLine(kTies, 'models[7]')).toBe(4);
    expect(findLine(kTies, 'slices[0]')).toBeNull();
  });
  test('sequences at the indentation of their key', () => {
    expect(findLine(kSlices, 'slices[1].sources[0].layer_range')).toBe(7);
    expect(findLine(kSlices, 'slices[1].sources[1].model')).toBe(9);
    expect(findLine(kSlices, 'slices[0].sources[0].layer_range[1]')).toBe(4);
    expect(findLine(kSlices, 'merge_method')).toBe(10);
  });
  test('a leading "recipe" names the recipe itself', () => {
    expect(findLine(kTies, 'recipe.merge_method')).toBe(2);
  });
});

test('a line that the message begins with counts first', () => {
  expect(lineOfFault(kTies, '', 'line 5, column 3: bad indentation')).toBe(5);
  expect(lineOfFault(kTies, 'models[1].parameters', 'line 12: needs `weight`')).toBe(12);
  expect(lineOfFault(kTies, 'models[1].parameters', 'needs `weight`')).toBe(11);
  expect(lineOfFault(kTies, '', 'line 500: odd')).toBeNull();
  expect(lineOfFault(kTies, 'nowhere', 'is unknown, see line 2')).toBeNull();
});

test('the line is not said twice', () => {
  expect(withoutLine('line 5, column 3: bad indentation')).toBe('bad indentation');
  expect(withoutLine('line 5: bad')).toBe('bad');
  expect(withoutLine('bad at line 5: so')).toBe('bad at line 5: so');
});
