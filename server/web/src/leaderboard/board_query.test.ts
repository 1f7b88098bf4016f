import { expect, test } from 'vitest';
import type { LeaderboardRow } from '../api/types';
import { filterRows, readBoardQuery, sortChanges } from './board_query';

const read = (text: string) => readBoardQuery(new URLSearchParams(text));

test('defaults: by mean, best first; names from A', () => {
  expect(read('')).toEqual({ sort: 'mean', order: 'desc', suites: [], method: '', text: '' });
  expect(read('sort=name').order).toBe('asc');
  expect(read('order=sideways').order).toBe('desc');
});

test('clicking a header sorts by it, clicking again turns it', () => {
  expect(sortChanges(read(''), 'words')).toEqual({ sort: 'words', order: null });
  expect(sortChanges(read('sort=words'), 'words')).toEqual({ sort: 'words', order: 'asc' });
  expect(sortChanges(read('sort=words&order=asc'), 'words')).toEqual({
    sort: 'words',
    order: null,
  });
  expect(sortChanges(read('sort=words'), 'mean')).toEqual({ sort: null, order: null });
});

test('filters by method and by every word', () => {
  const rows = [
    {
      model: { id: 1, name: 'sums' },
      origin: 'registered',
      merge_method: '',
      digest: 'aa',
      parents: [],
    },
    {
      model: { id: 2, name: 'mix-1' },
      origin: 'merged',
      merge_method: 'slerp',
      digest: 'bb',
      parents: [{ id: 1, name: 'sums' }],
    },
  ] as unknown as LeaderboardRow[];
  const ids = (method: string, text: string) =>
    filterRows(rows, method, text).map((r) => r.model.id);
  expect(ids('', '')).toEqual([1, 2]);
  expect(ids('none', '')).toEqual([1]);
  expect(ids('slerp', '')).toEqual([2]);
  expect(ids('', 'SUMS')).toEqual([1, 2]);
  expect(ids('', 'sums mix')).toEqual([2]);
});
