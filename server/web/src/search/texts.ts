import { kNone, percent, signedPercent } from '../format/number';

/** A share in percent; a dash where there is none. */
export function share(value: number | null | undefined): string {
  return typeof value === 'number' && Number.isFinite(value) ? percent(value) : kNone;
}

/** A difference of shares in points; a dash where there is none. */
export function points(value: number | null | undefined): string {
  return typeof value === 'number' && Number.isFinite(value) ? signedPercent(value) : kNone;
}

/** "from 51.0 to 64.2", or that there is no interval. */
export function span(
  low: number | null | undefined,
  high: number | null | undefined,
  text: (value: number) => string = percent,
): string {
  return typeof low === 'number' && typeof high === 'number'
    ? `${text(low)} to ${text(high)}`
    : 'no interval';
}

/** A probability with two digits that is never shown as certain. */
export function probability(value: number | null | undefined): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return kNone;
  if (value > 0.995) return '> 0.99';
  if (value < 0.005) return '< 0.01';
  return value.toFixed(2);
}

/** Cut to fit where text cannot wrap; the whole belongs into a title. */
export function cut(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, Math.max(1, most - 1)).join('')}…`;
}

export function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 }).replace(/,/g, '\u202f');
}
