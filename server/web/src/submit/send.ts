import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { MergeRequest, Problem } from '../api/types';
import { fillPlaceholder } from '../recipe/values';
import { navigate } from '../route/router';
import { documentVerdict, draft, renewKey, submissionKey, verdict } from './draft';
import { sweepValues } from './sweep_fields';

function ownProblem(title: string, path: string, message: string, suggestion: string): Problem {
  const errors = [{ path, message, suggestion }];
  return { type: 'about:blank', title, status: 0, detail: '', code: 'invalid_argument', errors };
}

/** Faults that can be seen without the server. */
function draftProblem(): Problem | null {
  const { recipe, seed, mode, parameter } = draft.value;
  if (recipe.trim() === '') {
    return ownProblem(
      'The recipe is empty',
      'recipe',
      'is empty',
      'Start from one of the examples.',
    );
  }
  if (!/^\d+$/.test(seed.trim()) || !Number.isSafeInteger(Number(seed))) {
    return ownProblem('The seed is wrong', 'seed', 'is not a whole number', 'Use 0 or more.');
  }
  if (mode === 'sweep' && parameter.trim() === '') {
    return ownProblem('No parameter', 'parameter', 'is empty', 'Name what the sweep varies.');
  }
  if (mode === 'sweep' && sweepValues(draft.value).length === 0) {
    return ownProblem(
      'No values',
      'values',
      'the range gives none',
      'Give two numbers and 1 to 200 points.',
    );
  }
  return null;
}

function request(recipe: string, suites: string[]): MergeRequest {
  const { name, seed } = draft.value;
  const body: MergeRequest = { recipe, suites, seed: Number(seed) };
  return name.trim() === '' ? body : { ...body, name: name.trim() };
}

/** Asks for the preflight; of a sweep's template, with its first value filled in. */
export async function check(suites: string[]): Promise<void> {
  const { recipe, mode, parameter } = draft.value;
  const problem = draftProblem();
  if (problem) {
    verdict.value = { of: recipe, preflight: null, problem };
    return;
  }
  const first = sweepValues(draft.value)[0] ?? 0;
  const filled = mode === 'sweep' ? fillPlaceholder(recipe, parameter.trim(), first) : recipe;
  try {
    const preflight = await api.preflight(request(filled, suites));
    verdict.value = { of: recipe, preflight, problem: null };
  } catch (thrown) {
    verdict.value = { of: recipe, preflight: null, problem: toProblem(thrown) };
  }
}

/** Submits and goes to where its progress shows. */
export async function submit(suites: string[]): Promise<void> {
  const { recipe, mode, parameter } = draft.value;
  const problem = draftProblem();
  if (problem) {
    verdict.value = { of: recipe, preflight: null, problem };
    return;
  }
  const body = request(recipe, suites);
  try {
    if (mode === 'sweep') {
      const values = sweepValues(draft.value);
      const sweep = await api.submitSweep(
        { ...body, parameter: parameter.trim(), values },
        submissionKey(),
      );
      navigate(`#/sweeps/${sweep.id}`);
    } else {
      await api.submitMerge(body, submissionKey());
      navigate('#/queue');
    }
    renewKey();
    verdict.value = null;
  } catch (thrown) {
    verdict.value = { of: recipe, preflight: null, problem: toProblem(thrown) };
  }
}

/** Starts a search and goes to it; what the server finds wrong is shown at its lines. */
export async function startSearch(): Promise<void> {
  const { document, name } = draft.value;
  if (document.trim() === '') {
    const problem = ownProblem(
      'The sweep document is empty',
      '',
      'is empty',
      'Start from one of the examples.',
    );
    documentVerdict.value = { of: document, problem };
    return;
  }
  try {
    const body = name.trim() === '' ? { document } : { document, name: name.trim() };
    const sweep = await api.submitSearch(body, submissionKey());
    renewKey();
    documentVerdict.value = null;
    navigate(`#/sweeps/${sweep.id}`);
  } catch (thrown) {
    documentVerdict.value = { of: document, problem: toProblem(thrown) };
  }
}
