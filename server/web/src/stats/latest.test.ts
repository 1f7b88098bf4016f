import { expect, test } from 'vitest';
import type { Evaluation, Score } from '../api/types';
import { latestBySuite, meanOf, scoreOfEvaluation } from './latest';

const evaluation = (id: number, suite: string, score = 0.5) =>
  ({
    id,
    suite,
    score,
    standard_error: null,
    interval: null,
    items: 3,
    flags: [],
  }) as unknown as Evaluation;

test('the newest evaluation of a suite counts', () => {
  const latest = latestBySuite([evaluation(2, 'a'), evaluation(5, 'a'), evaluation(3, 'b')]);
  expect([...latest].map(([suite, one]) => [suite, one.id])).toEqual([
    ['a', 5],
    ['b', 3],
  ]);
});

test('a score that is not finite is none', () => {
  expect(scoreOfEvaluation(undefined)).toBeNull();
  expect(scoreOfEvaluation(evaluation(1, 'a', null as unknown as number))).toBeNull();
  expect(scoreOfEvaluation(evaluation(1, 'a'))?.value).toBe(0.5);
});

test('the mean needs every score, its error every error', () => {
  const score = (value: number, standard_error: number | null): Score => ({
    value,
    standard_error,
    items: 10,
  });
  expect(meanOf([score(0.2, 0.03), score(0.4, 0.04)])).toEqual({
    value: expect.closeTo(0.3),
    standard_error: expect.closeTo(0.025),
    items: 20,
  });
  expect(meanOf([score(0.2, null), score(0.4, 0.04)])?.standard_error).toBeNull();
  expect(meanOf([score(0.2, 0.1), null])).toBeNull();
  expect(meanOf([])).toBeNull();
});
