import { load } from 'js-yaml';
import type { SweepBudget } from '../api/types';

/** What the page needs of a sweep document. The server has checked it; what cannot be read is left out. */
export interface SearchDocument {
  budget: SweepBudget;
  variables: string[];
  logarithmic: ReadonlySet<string>; // variables whose range is even in the logarithm
  sampler: string; // '' = the server's choice
  perSuite: boolean; // an objective a suite
}

const kNothing: SearchDocument = {
  budget: {},
  variables: [],
  logarithmic: new Set(),
  sampler: '',
  perSuite: false,
};

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

export const kLimits = ['trials', 'items', 'tokens', 'minutes'] as const;
export type Limit = (typeof kLimits)[number];

function budgetOf(value: unknown): SweepBudget {
  const given = record(value);
  const budget: SweepBudget = {};
  for (const name of [...kLimits, 'merges'] as const) {
    const limit = given[name];
    if (typeof limit === 'number' && limit > 0) budget[name] = limit;
  }
  // A merge is a trial; the smaller of the two counts.
  const { merges, ...rest } = budget;
  if (merges === undefined) return rest;
  return { ...rest, trials: Math.min(merges, rest.trials ?? merges) };
}

export function readDocument(text: string): SearchDocument {
  let root: unknown;
  try {
    root = load(text);
  } catch {
    return kNothing;
  }
  const { budget, space, sampler, objectives } = record(root);
  const entries = Object.entries(record(space));
  const name = typeof sampler === 'string' ? sampler : record(sampler)['name'];
  return {
    budget: budgetOf(budget),
    variables: entries.map(([variable]) => variable),
    logarithmic: new Set(
      entries.filter(([, entry]) => record(entry)['log'] === true).map(([variable]) => variable),
    ),
    sampler: typeof name === 'string' ? name : '',
    perSuite: objectives === 'suites',
  };
}
