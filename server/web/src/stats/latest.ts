import type { Evaluation, Score } from '../api/types';

/** The newest evaluation on each suite. */
export function latestBySuite(evaluations: Evaluation[]): Map<string, Evaluation> {
  const latest = new Map<string, Evaluation>();
  for (const evaluation of evaluations) {
    const known = latest.get(evaluation.suite);
    if (!known || evaluation.id > known.id) latest.set(evaluation.suite, evaluation);
  }
  return latest;
}

/** An evaluation's score as tables show it; null when it is not finite. */
export function scoreOfEvaluation(evaluation: Evaluation | undefined): Score | null {
  if (!evaluation || !Number.isFinite(evaluation.score)) return null;
  const { score: value, standard_error, interval, items, flags, id: evaluation_id } = evaluation;
  return { value, standard_error, interval, items, flagged: flags.length > 0, evaluation_id };
}

/** Unweighted mean; its standard error from independent ones: √(Σ se²) / n. Null without all scores. */
export function meanOf(scores: (Score | null)[]): Score | null {
  if (scores.length === 0) return null;
  let [value, squares, items] = [0, 0 as number | null, 0];
  for (const score of scores) {
    if (score === null) return null;
    value += score.value;
    items += score.items;
    squares =
      squares === null || score.standard_error === null
        ? null
        : squares + score.standard_error ** 2;
  }
  const count = scores.length;
  const standard_error = squares === null ? null : Math.sqrt(squares) / count;
  return { value: value / count, standard_error, items };
}
