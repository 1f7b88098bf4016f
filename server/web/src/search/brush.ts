import type { Dimension } from './dimensions';

/** A chosen stretch of an axis, both ends included. */
export interface Stretch {
  low: number;
  high: number;
}

/** Stretches by the axis's name; an axis without one lets everything through. */
export type Brushes = ReadonlyMap<string, Stretch>;

export const kNoBrushes: Brushes = new Map();

/** With the stretch between two coordinates, in either order; null takes it away. */
export function withBrush(brushes: Brushes, name: string, ends: [number, number] | null): Brushes {
  const next = new Map(brushes);
  if (ends === null) next.delete(name);
  else next.set(name, { low: Math.min(...ends), high: Math.max(...ends) });
  return next;
}

/** Which rows lie within every stretch; null when there is none, that is all do. */
export function chosenRows(
  dimensions: readonly Dimension[],
  brushes: Brushes,
  rows: number,
): Uint8Array | null {
  const active = dimensions.flatMap((dimension) => {
    const stretch = brushes.get(dimension.name);
    return stretch ? [{ at: dimension.at, ...stretch }] : [];
  });
  if (active.length === 0) return null;
  const chosen = new Uint8Array(rows);
  for (let row = 0; row < rows; row += 1) {
    // NaN is in no stretch.
    if (active.every(({ at, low, high }) => at[row]! >= low && at[row]! <= high)) chosen[row] = 1;
  }
  return chosen;
}

export function countChosen(chosen: Uint8Array | null, rows: number): number {
  if (chosen === null) return rows;
  let sum = 0;
  for (const one of chosen) sum += one;
  return sum;
}
