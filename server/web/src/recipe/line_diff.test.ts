import { expect, test } from 'vitest';
import { lineDiff } from './line_diff';

const kinds = (a: string, b: string) => lineDiff(a, b).map((line) => `${line.kind} ${line.text}`);

test('lines are numbered in both texts', () => {
  expect(lineDiff('a\nb\nc\n', 'a\nx\nc\n')).toEqual([
    { kind: 'same', before: 1, after: 1, text: 'a' },
    { kind: 'removed', before: 2, after: null, text: 'b' },
    { kind: 'added', before: null, after: 2, text: 'x' },
    { kind: 'same', before: 3, after: 3, text: 'c' },
  ]);
});

test('line ends and a missing last one make no difference; empty lines count', () => {
  expect(kinds('a\r\nb', 'a\nb\n')).toEqual(['same a', 'same b']);
  expect(kinds('', 'a')).toEqual(['added a']);
  expect(kinds('', '')).toEqual([]);
  expect(kinds('a\n\nb\n', 'a\nb\n')).toEqual(['same a', 'removed ', 'same b']);
});
