import type { LeaderboardRow, ModelSummary, Score } from '../api/types';

/** Half width of a 95 % interval in standard errors. */
export const kZ95 = 1.96;

/** A merge's score minus its best parent's on the same column. */
export interface Delta {
  value: number;
  standard_error: number | null; // √(se₁² + se₂²): both errors taken as independent
  parent: ModelSummary;
  within_noise: boolean | null; // null where an error is unknown
}

/** The 95 % interval: the score's own, else from its standard error clipped to [0, 1], else null. */
export function interval(
  score: Pick<Score, 'value' | 'standard_error'> & Partial<Score>,
): { low: number; high: number } | null {
  if (score.interval) return { low: score.interval.low, high: score.interval.high };
  if (score.standard_error === null) return null;
  const half = kZ95 * score.standard_error;
  return { low: Math.max(0, score.value - half), high: Math.min(1, score.value + half) };
}

/** The row's score in a column (a suite's name, or "mean"); null without one, or when it is not finite. */
export function scoreOf(
  row: Pick<LeaderboardRow, 'scores' | 'mean'>,
  column: string,
): Score | null {
  const score = column === 'mean' ? row.mean : (row.scores[column] ?? null);
  return score !== null && Number.isFinite(score.value) ? score : null; // not finite arrives as null
}

/** The parent with the highest score in the column, among those on the board. */
export function bestParent(
  parents: ModelSummary[],
  column: string,
  rows: ReadonlyMap<number, LeaderboardRow>,
): { model: ModelSummary; score: Score } | null {
  let best: { model: ModelSummary; score: Score } | null = null;
  for (const parent of parents) {
    const row = rows.get(parent.id);
    const score = row ? scoreOf(row, column) : null;
    if (score && (!best || score.value > best.score.value)) best = { model: parent, score };
  }
  return best;
}

export function deltaToBestParent(
  row: LeaderboardRow,
  column: string,
  rows: ReadonlyMap<number, LeaderboardRow>,
): Delta | null {
  const own = scoreOf(row, column);
  const best = bestParent(row.parents, column, rows);
  if (!own || !best) return null;
  const value = own.value - best.score.value;
  if (own.standard_error === null || best.score.standard_error === null) {
    return { value, standard_error: null, parent: best.model, within_noise: null };
  }
  const error = Math.hypot(own.standard_error, best.score.standard_error);
  return {
    value,
    standard_error: error,
    parent: best.model,
    within_noise: value === 0 || Math.abs(value) < kZ95 * error,
  };
}
