import { expect, test } from 'vitest';
import { hashOf, parseHash } from './router';

test('a fragment becomes path and query', () => {
  const { path, query } = parseHash('#/sweeps/3?show=mean,words');
  expect(path).toEqual(['sweeps', '3']);
  expect(query.get('show')).toBe('mean,words');
});

test('an empty fragment is the empty path', () => {
  expect(parseHash('').path).toEqual([]);
  expect(parseHash('#/').path).toEqual([]);
});

test('writing and reading a fragment agree', () => {
  const query = new URLSearchParams({ q: 'a&b=c', sort: 'words' });
  const back = parseHash(hashOf(['leaderboard'], query));
  expect(back.path).toEqual(['leaderboard']);
  expect(back.query.get('q')).toBe('a&b=c');
  expect(back.query.get('sort')).toBe('words');
});
