import { describe, expect, test } from 'vitest';
import type { Candidate, Standing } from '../api/types';
import { chosenRows, countChosen, kNoBrushes, withBrush } from './brush';
import { changedBudget } from './budget_form';
import {
  coordinateAt,
  coordinateText,
  dimensionsOf,
  positionOn,
  valuesText,
  valueText,
} from './dimensions';
import { readDocument } from './document';
import { orderRows, passes, sortKey } from './order';
import { kRamp, linesOf, rampOf } from './parallel_lines';
import {
  bestSoFar,
  classOf,
  countStandings,
  fullyAsked,
  paretoFront,
  quantile,
  rangeOf,
  spreadLabels,
  worth,
} from './series';
import { cut, points, probability, share, span } from './texts';

function one(trial: number | null, changes: Partial<Candidate> = {}): Candidate {
  return {
    name: trial === null ? 'default' : `t${trial}`,
    trial,
    values: {},
    recipe: '',
    model: null,
    standing: 'racing',
    seen: 128,
    estimate: 0.5,
    suites: [],
    failure: null,
    ...changes,
  };
}

describe('the document', () => {
  test('budget, variables, sampler and objectives are read from YAML', () => {
    const read = readDocument(`recipe: {merge_method: slerp}
space:
  parameters.t: {float: [0, 1]}
  rate: {float: [0.001, 1], log: true}
sampler: {name: cma_es}
objectives: suites
budget: {trials: 60, merges: 40, items: 0, minutes: 1.5}
`);
    expect(read.variables).toEqual(['parameters.t', 'rate']);
    expect([...read.logarithmic]).toEqual(['rate']);
    expect(read.sampler).toBe('cma_es');
    expect(read.perSuite).toBe(true);
    expect(read.budget).toEqual({ trials: 40, minutes: 1.5 });
  });
  test('JSON is read too, and what cannot be read is empty', () => {
    expect(readDocument('{"sampler": "tpe", "space": {"w": [0, 1]}}').sampler).toBe('tpe');
    for (const text of ['', '[', '- a', '7', 'a: [1', 'space: 3\nbudget: []\nsampler: [1]'])
      expect(readDocument(text)).toMatchObject({ budget: {}, variables: [], sampler: '' });
  });
});

describe('dimensions', () => {
  const candidates = [
    one(0, { values: { w: 0.5, curve: [0, 1], by: { mlp: 2, '': 3 }, kind: 'b' } }),
    one(1, { values: { w: 2, curve: [1, 3], by: { mlp: 4, '': 5 }, kind: 'a' } }),
    one(null),
  ];
  const dimensions = dimensionsOf(candidates);
  test('lists and maps become an axis a number, texts a category', () => {
    expect(dimensions.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'w number',
      'curve[0] number',
      'curve[1] number',
      'by.mlp number',
      'by.* number',
      'kind category',
    ]);
    const kind = dimensions[5]!;
    expect(kind.labels).toEqual(['b', 'a']);
    expect([...kind.at]).toEqual([0, 1, NaN]);
    expect([dimensions[0]!.low, dimensions[0]!.high]).toEqual([0.5, 2]);
  });
  test('a coordinate and its position are each other’s inverse', () => {
    const [log] = dimensionsOf(
      [one(0, { values: { r: 0.001 } }), one(1, { values: { r: 1 } })],
      new Set(['r']),
    );
    expect(positionOn(log!, 0.001)).toBe(0);
    expect(positionOn(log!, 0.03162)).toBeCloseTo(0.5, 3);
    for (const axis of [log!, dimensions[0]!])
      for (const at of [0, 0.3, 1])
        expect(positionOn(axis, coordinateAt(axis, at))).toBeCloseTo(at);
  });
  test('one value only stands in the middle', () => {
    expect(positionOn(dimensionsOf([one(0, { values: { a: 7 } })])[0]!, 7)).toBe(0.5);
  });
  test('texts', () => {
    expect(coordinateText(dimensions[5]!, 1)).toBe('a');
    expect(coordinateText(dimensions[0]!, NaN)).toBe('–');
    expect(valuesText({ a: 0.1 + 0.2, b: ['x'], c: null })).toBe('a 0.3, b ["x"], c –');
    expect(valueText({ mlp: [0.123456] })).toBe('{"mlp":[0.1235]}');
  });
});

describe('brushes', () => {
  const dimensions = dimensionsOf([
    one(0, { values: { a: 0, b: 5 } }),
    one(1, { values: { a: 1, b: 6 } }),
    one(2, { values: { a: 2 } }),
  ]);
  test('without a stretch all rows are chosen', () => {
    expect(chosenRows(dimensions, kNoBrushes, 3)).toBeNull();
    expect(countChosen(null, 3)).toBe(3);
  });
  test('rows are within every stretch, ends included; a gap is in none', () => {
    let brushes = withBrush(kNoBrushes, 'a', [2, 1]);
    expect([...chosenRows(dimensions, brushes, 3)!]).toEqual([0, 1, 1]);
    brushes = withBrush(brushes, 'b', [0, 9]);
    const chosen = chosenRows(dimensions, brushes, 3);
    expect([...chosen!]).toEqual([0, 1, 0]);
    expect(countChosen(chosen, 3)).toBe(1);
    expect(withBrush(brushes, 'a', null).has('a')).toBe(false);
    expect(brushes.has('a')).toBe(true);
  });
});

describe('series', () => {
  const trials = [
    one(0, { estimate: 0.5 }),
    one(1, { estimate: 0.9, seen: 32, standing: 'eliminated' }),
    one(2, { estimate: 0.4 }),
    one(3, { estimate: 0.6 }),
    one(4, { estimate: 0, seen: 128, standing: 'failed' }),
  ];
  test('the best so far counts those only who answered most', () => {
    expect(bestSoFar(trials).map(({ trial, best }) => [trial, best])).toEqual([
      [0, 0.5],
      [3, 0.6],
    ]);
    expect(fullyAsked(trials).map(({ trial }) => trial)).toEqual([0, 2, 3]);
    expect(bestSoFar([])).toEqual([]);
  });
  test('standings are counted, what failed is worth nothing', () => {
    expect(countStandings(trials)).toEqual({ racing: 3, eliminated: 1, 'set aside': 0, failed: 1 });
    expect(worth(trials[4]!)).toBeNull();
  });
  test('the front', () => {
    const rows = [
      [1, 0],
      [0, 1],
      [0.5, 0.5],
      [0.4, 0.5],
      [null, 2],
      [0.5, 0.5],
    ];
    expect(paretoFront(rows)).toEqual([0, 1, 2, 5]);
    expect(paretoFront([])).toEqual([]);
  });
  test('the front of many agrees with the definition', () => {
    let state = 1;
    const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
    const rows = Array.from({ length: 300 }, () => [next(), next(), Math.round(next() * 4)]);
    const beats = (a: number[], b: number[]) =>
      a.every((v, i) => v >= b[i]!) && a.some((v, i) => v > b[i]!);
    const slow = rows.flatMap((row, i) => (rows.some((other) => beats(other, row)) ? [] : [i]));
    expect(paretoFront(rows)).toEqual(slow);
  });
  test('classes, ranges, quantiles', () => {
    expect([
      classOf(0, 0, 1, 6),
      classOf(0.99, 0, 1, 6),
      classOf(1, 0, 1, 6),
      classOf(-9, 0, 1, 6),
    ]).toEqual([0, 5, 5, 0]);
    expect(classOf(3, 3, 3, 6)).toBe(5);
    expect(rangeOf([null, 3, NaN, 1])).toEqual([1, 3]);
    expect(rangeOf([null])).toBeNull();
    expect(quantile([5, null, 1, 3], 0.5)).toBe(3);
    expect(quantile([], 0.5)).toBeNull();
  });
  test('labels keep their distance, order and frame', () => {
    expect(spreadLabels([50, 51, 10], 15, 0, 100)).toEqual([50, 65, 10]);
    expect(spreadLabels([98, 99], 15, 0, 100)).toEqual([85, 100]);
  });
});

describe('lines', () => {
  const trials = [0.2, 0.9, 0.5].map((estimate, i) => one(i, { estimate, values: { a: i } }));
  test('the best are drawn last and have the last colour', () => {
    const estimates = [...trials.map(({ estimate }) => estimate), null];
    const axes = dimensionsOf([...trials, one(3)]);
    const lines = linesOf(axes, estimates, 0, 100);
    expect([...lines.rows]).toEqual([3, 0, 2, 1]);
    expect([lines.tone[1], lines.tone[3]]).toEqual([kRamp - 1, kRamp]);
    expect([...lines.y[0]!]).toEqual([100, 50, 0, NaN]);
    expect(rampOf([null])).toBeNull();
  });
});

describe('the table', () => {
  const states: Standing[] = ['eliminated', 'racing', 'racing', 'failed'];
  const trials = states.map((standing, i) =>
    one(i, { standing, estimate: i / 10, suites: [null], values: { a: -i } }),
  );
  const dimensions = dimensionsOf(trials);
  test('by rank the leader comes first', () => {
    expect(orderRows(trials, null, true)).toEqual([2, 1, 0, 3]);
  });
  test('by a value, either way; without a value last', () => {
    const key = sortKey('value a', trials, dimensions, ['s'])!;
    expect(orderRows(trials, key, true)).toEqual([0, 1, 2, 3]);
    expect(orderRows(trials, key, false)).toEqual([3, 2, 1, 0]);
    const gaps = sortKey('suite s', trials, dimensions, ['s'])!;
    expect(orderRows(trials, gaps, true)).toEqual([0, 1, 2, 3]);
    expect(sortKey('no such', trials, dimensions, [])).toBeNull();
  });
  test('filters', () => {
    expect(passes(trials[0]!, new Set())).toBe(true);
    expect(passes(trials[0]!, new Set(['racing']))).toBe(false);
    expect(passes(one(null), new Set(['racing']))).toBe(false);
    expect(passes(one(null), new Set(['reference']))).toBe(true);
  });
});

describe('texts', () => {
  test('what is not finite is a dash', () => {
    expect([share(null), points(undefined), probability(NaN)]).toEqual(['–', '–', '–']);
    expect([share(0.5), points(-0.1), probability(1), probability(0), probability(0.5)]).toEqual([
      '50.0',
      '−10.0',
      '> 0.99',
      '< 0.01',
      '0.50',
    ]);
    expect(span(0.1, 0.2)).toBe('10.0 to 20.0');
    expect(span(null, 0.2)).toBe('no interval');
  });
  test('cutting counts letters, not halves of one', () => {
    expect(cut('abc', 3)).toBe('abc');
    expect(cut('😀😀😀', 2)).toBe('😀…');
  });
  test('a changed budget has the changed limits only', () => {
    const texts = { trials: '70', items: '', tokens: '', minutes: '5' };
    expect(changedBudget({ trials: 60, minutes: 5 }, texts)).toEqual({ trials: 70 });
    expect(changedBudget({ trials: 70, minutes: 5 }, texts)).toMatch(/No limit/);
    expect(changedBudget({}, { ...texts, trials: '1.5' })).toMatch(/^Trials: a whole/);
    expect(changedBudget({ items: 9 }, { ...texts, minutes: '-1' })).toMatch(/^Minutes/);
  });
});
