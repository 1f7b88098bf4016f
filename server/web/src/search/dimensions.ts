import type { Candidate } from '../api/types';
import { kNone, plain } from '../format/number';
import { rangeOf } from './series';

/** One axis of the searched space: a number, or one of several texts. */
export interface Dimension {
  name: string;
  kind: 'number' | 'category';
  low: number; // of the values there are; of a category 0
  high: number; // of a category its last index
  labels: string[]; // of a category, by index
  logarithmic: boolean;
  /** The coordinate of each candidate; NaN where it has none. */
  at: Float64Array;
}

/** A value of any kind as text. */
export function valueText(value: unknown): string {
  if (typeof value === 'number') return plain(value);
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return kNone;
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'number' ? Number(part.toFixed(4)) : part,
  );
}

export function valuesText(values: Record<string, unknown>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join(', ');
}

type Leaf = [name: string, value: number | string];

/** Gradients and maps by filter become one leaf a number; lists of texts stay together. */
function leavesOf(name: string, value: unknown): Leaf[] {
  if (typeof value === 'number') return [[name, value]];
  if (Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === 'number'))
    return value.map((v, i): Leaf => [`${name}[${i}]`, v as number]);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).flatMap(([key, v]) => leavesOf(`${name}.${key || '*'}`, v));
  return [[name, valueText(value)]];
}

function numbersOf(
  column: (number | string | undefined)[],
): Pick<Dimension, 'low' | 'high' | 'at'> {
  const at = new Float64Array(column.length);
  column.forEach((v, row) => {
    at[row] = typeof v === 'number' ? v : NaN;
  });
  const [low, high] = rangeOf(at) ?? [0, 0];
  return { low, high, at };
}

function dimensionOf(
  name: string,
  column: (number | string | undefined)[],
  logarithmic: ReadonlySet<string>,
): Dimension {
  if (column.every((v) => v === undefined || typeof v === 'number')) {
    const numbers = numbersOf(column);
    const log = logarithmic.has(name.replace(/[.[].*$/, '')) || logarithmic.has(name);
    return { name, kind: 'number', labels: [], logarithmic: log && numbers.low > 0, ...numbers };
  }
  const index = new Map<string, number>();
  const at = Float64Array.from(column, (v) => {
    if (v === undefined) return NaN;
    const text = typeof v === 'number' ? plain(v) : v;
    if (!index.has(text)) index.set(text, index.size);
    return index.get(text)!;
  });
  const labels = [...index.keys()];
  return {
    name,
    kind: 'category',
    labels,
    logarithmic: false,
    low: 0,
    high: labels.length - 1,
    at,
  };
}

/** The axes of the candidates' values, in order of first mention. */
export function dimensionsOf(
  candidates: readonly Candidate[],
  logarithmic: ReadonlySet<string> = new Set(),
): Dimension[] {
  const columns = new Map<string, (number | string | undefined)[]>();
  const put = (leaf: string, row: number, value: number | string) => {
    let column = columns.get(leaf);
    if (!column) {
      column = new Array<undefined>(candidates.length).fill(undefined);
      columns.set(leaf, column);
    }
    column[row] = value;
  };
  candidates.forEach((candidate, row) => {
    for (const name of Object.keys(candidate.values)) {
      const value = candidate.values[name];
      if (typeof value === 'number') put(name, row, value);
      else for (const [leaf, leafValue] of leavesOf(name, value)) put(leaf, row, leafValue);
    }
  });
  return [...columns].map(([name, column]) => dimensionOf(name, column, logarithmic));
}

/** The same axis over some of the rows. */
export function onlyRows(dimension: Dimension, rows: readonly number[]): Dimension {
  const at = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i += 1) at[i] = dimension.at[rows[i]!]!;
  if (dimension.kind === 'category') return { ...dimension, at };
  const [low, high] = rangeOf(at) ?? [dimension.low, dimension.high];
  return { ...dimension, at, low, high };
}

/** Where a coordinate lies on its axis, from 0 to 1; the middle when there is one value only. */
export function positionOn(dimension: Dimension, coordinate: number): number {
  const { low, high, logarithmic } = dimension;
  if (high === low) return 0.5;
  return logarithmic
    ? Math.log(coordinate / low) / Math.log(high / low)
    : (coordinate - low) / (high - low);
}

/** The coordinate at a position from 0 to 1. */
export function coordinateAt(dimension: Dimension, position: number): number {
  const { low, high, logarithmic } = dimension;
  return logarithmic ? low * (high / low) ** position : low + position * (high - low);
}

export function coordinateText(dimension: Dimension, coordinate: number): string {
  if (!Number.isFinite(coordinate)) return kNone;
  return dimension.kind === 'category'
    ? (dimension.labels[coordinate] ?? kNone)
    : plain(Number(coordinate.toPrecision(4)));
}
