import type { LeaderboardRow, ModelSummary, Score, Sweep, Trial } from '../api/types';
import { interval, scoreOf } from '../stats/delta';

/** One line of the sweep's chart. */
export interface Series {
  column: string; // "mean" or a suite
  index: number; // fixes colour and shape, whichever lines are shown
  points: { trial: number; value: number; score: Score }[]; // scored trials, by parameter value
}

export function seriesOf(sweep: Sweep): Series[] {
  const scored = sweep.suites.filter((suite) => sweep.trials.some((trial) => trial.scores[suite]));
  return ['mean', ...scored].map((column, index) => ({
    column,
    index,
    points: sweep.trials.flatMap((trial, at) => {
      const score = trialScore(trial, column);
      return score ? [{ trial: at, value: trial.value, score }] : [];
    }),
  }));
}

export function trialScore(trial: Trial, column: string): Score | null {
  return scoreOf(trial, column);
}

/** The highest score among the parents in a column: the level that a merge has to beat. */
export interface Level {
  model: ModelSummary;
  score: Score;
}

export function parentLevel(
  parents: ModelSummary[],
  column: string,
  rows: LeaderboardRow[],
): Level | null {
  const ids = new Set(parents.map((parent) => parent.id));
  let best: Level | null = null;
  for (const row of rows) {
    const score = ids.has(row.model.id) ? scoreOf(row, column) : null;
    if (score && (!best || score.value > best.score.value)) best = { model: row.model, score };
  }
  return best;
}

/** Every share the chart has to have room for. */
export function extent(series: Series[], level: Level | null): number[] {
  const values = series.flatMap(({ points }) =>
    points.flatMap(({ score }) => {
      const range = interval(score);
      return range ? [range.low, range.high] : [score.value];
    }),
  );
  return level ? [...values, level.score.value] : values;
}
