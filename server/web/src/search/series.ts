import type { Candidate, Standing } from '../api/types';

export const kStandings: readonly Standing[] = ['racing', 'set aside', 'eliminated', 'failed'];

export function isTrial(candidate: Candidate): boolean {
  return candidate.trial !== null;
}

/** What a trial is worth: nothing that counts where it could not be made. */
export function worth({ standing, estimate }: Candidate): number | null {
  return standing === 'failed' ? null : estimate;
}

/** The value below which a share of the finite ones lies; null without any. */
export function quantile(values: readonly (number | null)[], share: number): number | null {
  const known = new Float64Array(values.length);
  let count = 0;
  for (const v of values) {
    if (v === null || !Number.isFinite(v)) continue;
    known[count] = v;
    count += 1;
  }
  return count === 0 ? null : known.subarray(0, count).sort()[Math.floor(share * (count - 1))]!;
}

export function countStandings(trials: readonly Candidate[]): Record<Standing, number> {
  const counts: Record<Standing, number> = { racing: 0, 'set aside': 0, eliminated: 0, failed: 0 };
  for (const { standing } of trials) counts[standing] += 1;
  return counts;
}

/** The most items that any trial has answered: estimates from fewer are not compared with those. */
export function mostSeen(trials: readonly Candidate[]): number {
  let most = 0;
  for (const { seen, standing } of trials) if (standing !== 'failed' && seen > most) most = seen;
  return most;
}

/** Trials whose estimates are from as many items as any has answered. */
export function fullyAsked(trials: readonly Candidate[]): Candidate[] {
  const most = mostSeen(trials);
  return trials.filter(
    ({ seen, standing, estimate }) =>
      most > 0 && seen === most && standing !== 'failed' && estimate !== null,
  );
}

export interface Step {
  trial: number;
  name: string;
  best: number;
}

/** The trials that were better than all before them, among those asked as much as any. */
export function bestSoFar(trials: readonly Candidate[]): Step[] {
  const steps: Step[] = [];
  let best = -Infinity;
  const inOrder = fullyAsked(trials).sort((a, b) => a.trial! - b.trial!);
  for (const { trial, name, estimate } of inOrder) {
    if (estimate! <= best) continue;
    best = estimate!;
    steps.push({ trial: trial!, name, best });
  }
  return steps;
}

function dominates(a: readonly number[], b: readonly number[]): boolean {
  let better = false;
  for (let i = 0; i < a.length; i += 1) {
    if (a[i]! < b[i]!) return false;
    if (a[i]! > b[i]!) better = true;
  }
  return better;
}

/** Rows that no other row is at least as good as everywhere and better somewhere; rows with a gap are left out. */
export function paretoFront(points: readonly (readonly (number | null)[])[]): number[] {
  const usable = points.flatMap((point, row) =>
    point.length > 0 && point.every((v) => v !== null && Number.isFinite(v))
      ? [{ row, point: point as number[] }]
      : [],
  );
  // Nobody is dominated by one that comes later in this order.
  usable.sort((a, b) => {
    for (let i = 0; i < a.point.length; i += 1) {
      const difference = b.point[i]! - a.point[i]!;
      if (difference !== 0) return difference;
    }
    return a.row - b.row;
  });
  const front: typeof usable = [];
  for (const one of usable) {
    if (!front.some(({ point }) => dominates(point, one.point))) front.push(one);
  }
  return front.map(({ row }) => row).sort((a, b) => a - b);
}

/** Splits [low, high] into `count` classes; the class of a value, clamped. */
export function classOf(value: number, low: number, high: number, count: number): number {
  if (!(high > low)) return count - 1;
  const at = Math.floor(((value - low) / (high - low)) * count);
  return Math.max(0, Math.min(count - 1, at));
}

/** Low and high of the finite numbers; null without any. */
export function rangeOf(values: ArrayLike<number | null | undefined>): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    const v = values[i];
    if (v === null || v === undefined || !Number.isFinite(v)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : null;
}

/** Moves labels apart so that neighbours are at least `gap` from each other, within [low, high]; order is kept. */
export function spreadLabels(
  at: readonly number[],
  gap: number,
  low: number,
  high: number,
): number[] {
  const order = at.map((_, i) => i).sort((a, b) => at[a]! - at[b]! || a - b);
  const placed = [...at];
  let last = low - gap;
  for (const i of order) {
    placed[i] = Math.max(placed[i]!, last + gap);
    last = placed[i]!;
  }
  let next = high + gap;
  for (const i of [...order].reverse()) {
    placed[i] = Math.min(placed[i]!, next - gap);
    next = placed[i]!;
  }
  return placed;
}
