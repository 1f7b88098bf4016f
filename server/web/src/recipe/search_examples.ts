import type { Model, Suite } from '../api/types';
import { castOf } from './examples';

/** A sweep document to start from. */
export interface SearchExample {
  name: string;
  title: string;
  document: string;
}

/** Suites that the examples name: two usable ones of the installation, else a place to fill in. */
function suitesOf(suites: readonly Suite[]): string[] {
  const usable = suites.filter((suite) => suite.error === null);
  const own = usable.filter((suite) => !suite.built_in);
  const names = (own.length > 0 ? own : usable).slice(0, 2).map((suite) => suite.name);
  return names.length > 0 ? names : ['name-of-a-suite'];
}

const inFlow = (names: readonly string[]) => `[${names.map((n) => JSON.stringify(n)).join(', ')}]`;

/** Documents for one number, several weights, and an objective a suite. */
export function searchExamples(models: Model[], suites: readonly Suite[]): SearchExample[] {
  const { base, first, second } = castOf(models);
  const names = suitesOf(suites);
  const weights = `recipe:
  merge_method: task_arithmetic
  base_model: ${JSON.stringify(base)}
  models:
    - {model: ${JSON.stringify(first)}, parameters: {weight: "\${first}"}}
    - {model: ${JSON.stringify(second)}, parameters: {weight: "\${second}"}}
  dtype: float32
  out_dtype: bfloat16
space:
  first: {float: [0, 1.2], default: 0.5}
  second: {float: [0, 1.2], default: 0.5}
`;
  return [
    {
      name: 'one number',
      title: 'Where between two models is the best place?',
      document: `recipe:
  merge_method: slerp
  base_model: ${JSON.stringify(first)}
  models:
    - {model: ${JSON.stringify(first)}}
    - {model: ${JSON.stringify(second)}}
  parameters: {t: 0.5}
  dtype: bfloat16
space:
  parameters.t: {float: [0, 1]}
suites: ${inFlow(names)}
budget: {trials: 12}
`,
    },
    {
      name: 'weights',
      title: 'Which weights of the task vectors are best?',
      document: `${weights}suites: ${inFlow(names)}
sampler: {name: cma_es}
budget: {trials: 60}
seed: 1
`,
    },
    {
      name: 'objective a suite',
      title: 'Which weights trade one suite for another?',
      document: `${weights}suites: ${inFlow(names.length > 1 ? names : [...names, 'another-suite'])}
objectives: suites
budget: {trials: 80}
`,
    },
  ];
}
