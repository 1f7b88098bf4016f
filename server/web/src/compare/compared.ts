import { api } from '../api/client';
import { ProblemError } from '../api/problem';
import type { Evaluation, Model, Problem } from '../api/types';
import { type RecipeFacts, readRecipe } from '../recipe/recipe_facts';
import { latestBySuite } from '../stats/latest';

/** A model with everything the comparison shows of it. */
export interface Compared {
  model: Model;
  evaluations: ReadonlyMap<string, Evaluation>; // newest by suite
  recipe: string | null; // null when it was not merged here
  facts: RecipeFacts | null;
}

export interface Loaded {
  models: Compared[];
  missing: { id: number; problem: Problem }[]; // unknown to the server
}

async function recipeOf(model: Model, signal: AbortSignal): Promise<string | null> {
  return model.origin === 'merged' ? api.modelRecipe(model.id, signal) : null;
}

async function load(id: number, signal: AbortSignal): Promise<Compared> {
  const [model, evaluations] = await Promise.all([
    api.model(id, signal),
    api.evaluations(id, signal),
  ]);
  const recipe = await recipeOf(model, signal);
  return {
    model,
    evaluations: latestBySuite(evaluations.items),
    recipe,
    facts: recipe === null ? null : readRecipe(recipe),
  };
}

/** Loads models; those that do not exist are told apart from a server that does not answer. */
export async function loadCompared(ids: number[], signal: AbortSignal): Promise<Loaded> {
  const loaded: Loaded = { models: [], missing: [] };
  const answers = await Promise.allSettled(ids.map((id) => load(id, signal)));
  answers.forEach((answer, i) => {
    if (answer.status === 'fulfilled') return loaded.models.push(answer.value);
    const { reason } = answer;
    if (!(reason instanceof ProblemError) || reason.problem.status !== 404) throw reason;
    return loaded.missing.push({ id: ids[i]!, problem: reason.problem });
  });
  return loaded;
}

/** Suites that any of the models has been scored on. */
export function suitesOf(models: Compared[]): string[] {
  return [...new Set(models.flatMap(({ evaluations }) => [...evaluations.keys()]))].sort();
}
