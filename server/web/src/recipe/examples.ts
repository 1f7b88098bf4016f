import type { Model } from '../api/types';

/** A recipe to start from. `parameter`, `from` and `to` are what a sweep of it would vary. */
export interface Example {
  name: string;
  title: string;
  parameter: string;
  from: number;
  to: number;
  recipe: string;
}

interface Cast {
  base: string;
  first: string;
  second: string;
}

/** Chooses who plays base and who is merged: registered models, the one called like "base" as base. */
export function castOf(models: Model[]): Cast {
  const names = models.filter((m) => m.origin === 'registered').map((m) => m.name);
  const base = names.find((n) => n === 'base') ?? names.find((n) => /base/i.test(n)) ?? names[0];
  const others = names.filter((n) => n !== base);
  return {
    base: base ?? 'path/to/base',
    first: others[0] ?? 'path/to/first',
    second: others[1] ?? 'path/to/second',
  };
}

function slerp({ first, second }: Cast): string {
  return `merge_method: slerp
base_model: ${first}
models:
  - model: ${first}
  - model: ${second}
parameters:
  t: 0.5
dtype: bfloat16
`;
}

function sparse(method: string, { base, first, second }: Cast): string {
  return `merge_method: ${method}
base_model: ${base}
models:
  - model: ${first}
    parameters:
      weight: 0.5
      density: 0.6
  - model: ${second}
    parameters:
      weight: 0.5
      density: 0.6
parameters:
  normalize: true
dtype: bfloat16
`;
}

function arithmetic({ base, first, second }: Cast): string {
  return `merge_method: task_arithmetic
base_model: ${base}
models:
  - model: ${first}
    parameters:
      weight: 0.7
  - model: ${second}
    parameters:
      weight: 0.7
dtype: bfloat16
`;
}

function passthrough({ first, second }: Cast): string {
  return `merge_method: passthrough
slices:
  - sources:
      - model: ${first}
        layer_range: [0, 4]
  - sources:
      - model: ${second}
        layer_range: [2, 6]
dtype: bfloat16
`;
}

export function examples(models: Model[]): Example[] {
  const cast = castOf(models);
  const weight = { parameter: 'models[0].parameters.weight', from: 0, to: 1 };
  return [
    {
      name: 'slerp',
      title: 'Two models, along the arc',
      parameter: 'parameters.t',
      from: 0,
      to: 1,
      recipe: slerp(cast),
    },
    {
      name: 'ties',
      title: 'Task vectors, pruned, one sign each',
      ...weight,
      recipe: sparse('ties', cast),
    },
    {
      name: 'dare_ties',
      title: 'Task vectors, dropped at random',
      ...weight,
      recipe: sparse('dare_ties', cast),
    },
    { name: 'task_arithmetic', title: 'Task vectors, added', ...weight, recipe: arithmetic(cast) },
    {
      name: 'passthrough',
      title: 'Layers stacked',
      parameter: '',
      from: 0,
      to: 1,
      recipe: passthrough(cast),
    },
  ];
}
