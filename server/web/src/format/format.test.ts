import { describe, expect, test } from 'vitest';
import { bytes, count, percent, plain, signedPercent } from './number';
import { duration, relative } from './time';

describe('numbers', () => {
  test('percent has one decimal', () => {
    expect(percent(0.5897435897)).toBe('59.0');
    expect(percent(1)).toBe('100.0');
    expect(percent(0)).toBe('0.0');
  });
  test('a difference carries its sign, and none at zero', () => {
    expect(signedPercent(0.032)).toBe('+3.2');
    expect(signedPercent(-0.1241)).toBe('\u221212.4');
    expect(signedPercent(-0.0001)).toBe('0.0');
  });
  test('sizes keep three digits', () => {
    expect(bytes(512)).toBe('512\u202fB');
    expect(bytes(2716672)).toBe('2.72\u202fMB');
    expect(bytes(14_500_000_000)).toBe('14.5\u202fGB');
  });
  test('counts', () => {
    expect(count(367)).toBe('367');
    expect(count(1_350_000)).toBe('1.35\u202fM');
    expect(count(7_240_000_000)).toBe('7.24\u202fB');
  });
  test('binary fractions are not shown', () => {
    expect(plain(0.1 + 0.2)).toBe('0.3');
    expect(plain(-1)).toBe('\u22121');
  });
});

describe('times', () => {
  test('durations', () => {
    expect(duration(0.42)).toBe('0.4 s');
    expect(duration(75)).toBe('1 min 15 s');
    expect(duration(7300)).toBe('2 h 1 min');
  });
  test('relative to now', () => {
    const now = Date.parse('2026-01-02T03:10:00.000Z');
    expect(relative('2026-01-02T03:09:58.000Z', now)).toBe('just now');
    expect(relative('2026-01-02T03:05:00.000Z', now)).toBe('5 min ago');
    expect(relative('2026-01-02T03:10:30.000Z', now)).toBe('in 30 s');
  });
});
