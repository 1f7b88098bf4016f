import { expect, test } from 'vitest';
import {
  answerText,
  chosenOf,
  mentions,
  outcomeOf,
  pairSamples,
  parseSamples,
  type Sample,
} from './sample';
import { scrollTo, windowOf } from './window';

const kOwn = {
  task: 'sums',
  metric: 'acc',
  filter: 'none',
  higher_is_better: true,
  doc_id: 3,
  document_id: 'q3',
  doc_hash: 'ab',
  cluster: '',
  metrics: { acc: 1, acc_norm: 0 },
  value: 1,
  gold: [2],
  logprobs: [-5.7, -6.5, -0.04],
  greedy: [false, false, true],
};

const kHarness = {
  doc_id: 3,
  doc: { query: '2 + 2 =', choices: ['3', '4'], gold: 1 },
  target: '1',
  arguments: {
    gen_args_0: { arg_0: '2 + 2 =', arg_1: ' 3' },
    gen_args_1: { arg_0: '2 + 2 =', arg_1: ' 4' },
  },
  resps: [[['-1.5', 'False']], [['-0.25', 'True']]],
  filtered_resps: [],
  filter: 'none',
  metrics: ['acc'],
  doc_hash: 'ab',
  acc: 1,
  crucible: { item: 'q3', cluster: '', value: 1, truncated: false, note: '' },
};

const read = (...lines: unknown[]) => parseSamples(lines.map((l) => JSON.stringify(l)).join('\n'));
const one = (changes: Partial<Sample> & { key: string }): Sample => ({
  ...read(kOwn).samples[0]!,
  ...changes,
});

test("the daemon's lines", () => {
  const [sample] = read(kOwn).samples;
  expect(sample).toMatchObject({ id: 'q3', prompt: null, gold: [2], value: 1, metric: 'acc' });
  expect(chosenOf(sample!)).toBe(2);
  expect(answerText(sample!)).toBe('choice 3');
  expect(outcomeOf(sample!)).toBe('right');
});

test('generations, and values between right and wrong', () => {
  const { gold: _g, logprobs: _l, greedy: _r, ...rest } = kOwn;
  const [sample] = read({ ...rest, generations: ['four', '4'], value: 0.5 }).samples;
  expect(answerText(sample!)).toBe('four');
  expect(chosenOf(sample!)).toBeNull();
  expect(outcomeOf(sample!)).toBe('graded');
});

test("the harness's lines carry prompt and choices", () => {
  const [sample] = read(kHarness).samples;
  expect(sample).toMatchObject({
    id: 'q3',
    prompt: '2 + 2 =',
    choices: ['3', '4'],
    gold: [1],
    logprobs: [-1.5, -0.25],
    greedy: [false, true],
    value: 1,
  });
  expect(answerText(sample!)).toBe('4');
  const generated = { ...kHarness, arguments: { gen_args_0: { arg_0: 'Q', arg_1: {} } } };
  const [text] = read({ ...generated, resps: [['an answer']], target: 'T' }).samples;
  expect(text).toMatchObject({ generations: ['an answer'], target: 'T', prompt: 'Q' });
});

test('broken lines are counted, other filters of the same item passed over', () => {
  const other = { ...kHarness, filter: 'strict', acc: 0 };
  const text = ['{', JSON.stringify(kHarness), '', '[]', JSON.stringify(other), '{"a":1}'];
  const found = parseSamples(text.join('\n'));
  expect(found.samples).toHaveLength(1);
  expect(found.samples[0]!.value).toBe(1);
  expect(found.unread).toBe(3);
});

test('not finite log-likelihoods come last', () => {
  const [sample] = read({ ...kOwn, logprobs: [null, -3, -4] }).samples;
  expect(chosenOf(sample!)).toBe(1);
});

test('pairs: wins are the first one’s, lower may be better, items of one alone are left out', () => {
  const a = [one({ key: 'x', value: 1 }), one({ key: 'y', value: 0 }), one({ key: 'z' })];
  const b = [one({ key: 'y', value: 0 }), one({ key: 'x', value: 0 })];
  expect(pairSamples(a, b).map((p) => [p.key, p.outcome])).toEqual([
    ['x', 'win'],
    ['y', 'tie'],
  ]);
  const low = (key: string, value: number | null) => one({ key, value, higher_is_better: false });
  expect(pairSamples([low('x', 2)], [low('x', 3)])[0]!.outcome).toBe('win');
  expect(pairSamples([low('x', null)], [low('x', 3)])).toEqual([]);
});

test('search finds every word in prompt or answers', () => {
  const [sample] = read(kHarness).samples;
  expect(mentions('', sample!)).toBe(true);
  expect(mentions('Q3 2', sample!)).toBe(true);
  expect(mentions('2 five', sample!)).toBe(false);
});

test('a list draws the rows in view and a few more', () => {
  expect(windowOf(0, 400, 40, 1000, 5)).toEqual({ first: 0, end: 15 });
  expect(windowOf(4000, 400, 40, 1000, 5)).toEqual({ first: 95, end: 115 });
  expect(windowOf(99999, 400, 40, 100, 5)).toEqual({ first: 85, end: 100 });
  expect(windowOf(500, 400, 40, 3, 5)).toEqual({ first: 0, end: 3 });
  expect(windowOf(0, 400, 40, 0)).toEqual({ first: 0, end: 0 });
});

test('a row is scrolled to only when it is out of view', () => {
  expect(scrollTo(3, 0, 400, 40)).toBe(0);
  expect(scrollTo(12, 0, 400, 40)).toBe(120);
  expect(scrollTo(1, 200, 400, 40)).toBe(40);
});
