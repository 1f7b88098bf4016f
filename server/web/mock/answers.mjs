import { digestOf, kMethods, kSuites } from './data.mjs';

// The contract's JSON out of the world.

export function problem(status, title, code, errors = [], detail = '') {
  return { status, body: { type: `/problems/${code}`, title, status, detail, code, errors } };
}

export function jobAnswer(job, whole) {
  const { recipe, at: _, ...rest } = job;
  return whole ? { ...rest, recipe } : rest;
}

export function modelAnswer({ truth: _t, recipe: _r, ...model }) {
  return model;
}

function meanOf(scores, suites) {
  const found = suites.map((suite) => scores[suite]);
  if (suites.length === 0 || found.some((score) => !score)) return null;
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  return {
    value: sum(found.map((s) => s.value)) / found.length,
    standard_error: Math.sqrt(sum(found.map((s) => s.standard_error ** 2))) / found.length,
    items: sum(found.map((s) => s.items)),
  };
}

function scoresOf(world, modelId, suites) {
  const scores = {};
  for (const evaluation of world.evaluations) {
    if (evaluation.model.id !== modelId || !suites.includes(evaluation.suite)) continue;
    const { score: value, standard_error, interval, items, id: evaluation_id, flags } = evaluation;
    const flagged = flags.length > 0;
    scores[evaluation.suite] = { value, standard_error, interval, items, flagged, evaluation_id };
  }
  return scores;
}

export function leaderboard(world, query) {
  const scored = [...new Set(world.evaluations.map((e) => e.suite))].sort();
  const asked = (query.get('suites') ?? '').split(',').filter((s) => s !== '');
  const suites = asked.length > 0 ? asked : scored;
  const sort = query.get('sort') || 'mean';
  const sign = query.get('order') === 'asc' ? 1 : -1;
  const rows = world.models.map((model) => {
    const scores = scoresOf(world, model.id, suites);
    return {
      model: { id: model.id, name: model.name },
      origin: model.origin,
      merge_method: model.merge_method,
      digest: model.digest,
      parents: model.parents,
      is_parent: model.children.length > 0,
      tuned_on: model.sweep_id ? Object.keys(model.scores ?? {}) : [],
      sweep_id: model.sweep_id,
      scores,
      mean: meanOf(scores, suites),
    };
  });
  const key = (row) => {
    if (sort === 'name') return row.model.name;
    if (sort === 'created') return row.model.id;
    return (sort === 'mean' ? row.mean : row.scores[sort])?.value ?? null;
  };
  rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return (x < y ? -1 : x > y ? 1 : 0) * sign;
  });
  return { suites, rows: rows.map((row, i) => ({ rank: i + 1, ...row })) };
}

export function sweepAnswer(world, sweep) {
  const trials = sweep.trials.map(({ value, job_id }) => {
    const job = world.jobs.find((j) => j.id === job_id);
    const last = job.children
      .map((id) => world.jobs.find((j) => j.id === id))
      .find((j) => j.state !== 'succeeded');
    const scores = job.model_id === null ? {} : scoresOf(world, job.model_id, sweep.suites);
    return {
      value,
      job_id,
      state: last?.state ?? job.state,
      model_id: job.model_id,
      scores,
      mean: meanOf(scores, sweep.suites),
    };
  });
  let best = null;
  trials.forEach((trial, i) => {
    if (trial.mean && (best === null || trial.mean.value > trials[best].mean.value)) best = i;
  });
  const over = trials.every((t) => ['succeeded', 'failed', 'dead', 'cancelled'].includes(t.state));
  const bad = trials.some((t) => t.state === 'cancelled')
    ? 'cancelled'
    : trials.some((t) => t.state !== 'succeeded')
      ? 'failed'
      : 'succeeded';
  return { ...sweep, state: over ? bad : 'running', trials, best_trial: best };
}

export function suitesAnswer() {
  const usable = Object.entries(kSuites).map(([name, items]) => ({
    name,
    description: `Multiple choice: ${name}`,
    error: null,
    built_in: false,
    missing: [],
    judge: '',
    tasks: [name],
    items,
    digest: digestOf(name),
  }));
  return [
    ...usable,
    {
      name: 'broken',
      description: '',
      error: 'line 3: gold is out of range',
      built_in: false,
      missing: [],
      judge: '',
      tasks: [],
      items: 0,
      digest: '',
    },
  ];
}

/** Faults of a recipe, a small part of what the daemon checks. */
export function faultsOf(world, recipe) {
  const method = kMethods.find((m) => m.name === /merge_method:\s*(\S+)/.exec(recipe)?.[1]);
  const faults = [];
  if (!method)
    faults.push(
      fault(
        'merge_method',
        'is no merge method',
        `One of ${kMethods.map((m) => m.name).join(', ')}.`,
      ),
    );
  [...recipe.matchAll(/^\s*- model:\s*(\S+)((?:\n(?!\s*- |\S).*)*)/gm)].forEach((match, index) => {
    if (!world.models.some((m) => m.name === match[1])) {
      faults.push(
        fault(
          `models[${index}].model`,
          `"${match[1]}" is no registered model`,
          'Register it, or give a path below an allowed folder.',
        ),
      );
    }
    for (const [, key] of match[2].matchAll(/^ {6}(\w+):/gm)) {
      if (!method || method.parameters.some((p) => p.name === key)) continue;
      const near = key === 'wieght' ? 'Did you mean weight?' : '';
      faults.push(
        fault(`models[${index}].parameters.${key}`, `is no parameter of ${method.name}`, near),
      );
    }
  });
  return faults;
}

function fault(path, message, suggestion) {
  return { path, pointer: '#/recipe', message, suggestion };
}

export function preflightAnswer(recipe) {
  const warnings = recipe.includes('dtype:')
    ? []
    : [
        {
          path: '',
          message: 'no dtype is given',
          suggestion: 'The output takes the first model’s, bfloat16.',
        },
      ];
  if (/density: 0\.6/.test(recipe)) {
    warnings.push({
      path: 'models[0].parameters.density',
      message: 'only 60 % of the entries are kept',
      suggestion: 'Nothing to do if that is meant.',
    });
  }
  return {
    architecture: 'llama',
    layers: 6,
    tensors: 56,
    parameters: 1_350_000,
    output_bytes: 2_716_672,
    input_bytes: 5_433_344,
    memory_bytes: 67_108_864,
    free_disk_bytes: 48_300_000_000,
    dtype: 'bfloat16',
    warnings,
  };
}
