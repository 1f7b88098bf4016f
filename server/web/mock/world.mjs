import { digestOf, kFamily, kSuites, mixed, scoreOf } from './data.mjs';
import { kPromptTokens } from './items.mjs';

/** The mock's state: models, evaluations, jobs, sweeps, events; jobs advance on a timer. */
export class World {
  models = [];
  evaluations = [];
  jobs = [];
  sweeps = [];
  events = [];
  logs = new Map();
  listeners = new Set();

  constructor() {
    for (const [name, scores] of kFamily) this.addModel({ name, origin: 'registered', scores });
    this.seedMerge('words-feelings-slerp', 'slerp', 'words', 'feelings', 0.5);
    this.seedMerge('sums-words-ties', 'ties', 'sums', 'words', 0.45);
    this.seedMerge('three-dare', 'dare_ties', 'sums', 'feelings', 0.6);
    this.submitSweep({
      name: 'slerp-words-feelings',
      parameter: 'parameters.t',
      recipe: recipeOf('slerp', 'words', 'feelings', '0.5'),
      suites: Object.keys(kSuites),
      values: [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1],
      seed: 0,
    });
    for (let i = 0; i < 400; i += 1) this.advance(4);
    this.seedFailures();
  }

  seedMerge(name, method, a, b, t) {
    const job = this.submitMerge({
      name,
      recipe: recipeOf(method, a, b, String(t)),
      suites: Object.keys(kSuites),
      seed: 0,
    });
    for (let i = 0; i < 400; i += 1) this.advance(4);
    return job;
  }

  seedFailures() {
    const failed = this.submitMerge({
      name: 'mismatch',
      recipe: recipeOf('slerp', 'sums', 'words', '0.5'),
      suites: [],
      seed: 0,
    });
    this.fail(failed, 'failed', 'invalid_argument', 'The models do not fit together', [
      {
        path: 'models[1].model',
        message: 'has 6 layers, the base model has 4',
        suggestion: 'Choose models of one architecture and depth.',
      },
      {
        path: 'models[1]',
        message: 'tensor model.embed_tokens.weight is [512, 128], expected [1024, 128]',
        suggestion: '',
      },
    ]);
    const again = this.submitMerge({
      name: 'flaky-disk',
      recipe: recipeOf('linear', 'sums', 'words', '0.5'),
      suites: ['words'],
      seed: 0,
    });
    this.fail(again, 'retry_wait', 'io', 'writing model.safetensors: Input/output error', []);
    again.attempt = 2;
    again.not_before = new Date(Date.now() + 3_600_000).toISOString();
  }

  addModel({
    name,
    origin,
    scores,
    method = '',
    recipe = null,
    parents = [],
    job = null,
    sweep = null,
  }) {
    const model = {
      id: this.models.length + 1,
      name,
      origin,
      digest: digestOf(name),
      path: `/var/lib/crucible/models/${digestOf(name).slice(0, 16)}`,
      architecture: 'llama',
      dtype: 'bfloat16',
      parameters: 1_350_000,
      weight_bytes: 2_716_672,
      created_at: new Date().toISOString(),
      merge_method: method,
      job_id: job,
      sweep_id: sweep,
      parents: parents.map(({ id, name: parent }) => ({ id, name: parent })),
      children: [],
      recipe,
      truth: scores,
    };
    for (const parent of parents) parent.children.push({ id: model.id, name });
    this.models.push(model);
    if (origin === 'registered')
      for (const suite of Object.keys(kSuites)) this.evaluate(model, suite, null);
    return model;
  }

  evaluate(model, suite, job) {
    const score = scoreOf(suite, model.truth[suite]);
    const { value, standard_error, interval } = score;
    const metric = { filter: 'none', higher_is_better: true, value, standard_error, interval };
    this.evaluations.push({
      id: this.evaluations.length + 1,
      model: { id: model.id, name: model.name },
      suite,
      suite_digest: digestOf(suite),
      engine: 'llama.cpp',
      dtype: 'float32',
      score: score.value,
      standard_error,
      interval,
      columns: [],
      groups: [],
      flags: [],
      prompt_tokens_asked: kPromptTokens[suite].asked,
      prompt_tokens_computed: kPromptTokens[suite].computed,
      items: score.items,
      seconds: 1.7,
      created_at: new Date().toISOString(),
      job_id: job,
      tasks: [
        {
          task: suite,
          version: '1',
          digest: digestOf(suite),
          primary_metric: 'acc',
          primary_filter: 'none',
          items: score.items,
          metrics: [
            { name: 'acc', ...metric },
            { name: 'acc_norm', ...metric },
          ],
        },
      ],
    });
  }

  makeJob(kind, fields) {
    const time = new Date().toISOString();
    const job = {
      id: this.jobs.length + 1,
      kind,
      state: 'queued',
      name: '',
      attempt: 0,
      max_attempts: 5,
      created_at: time,
      updated_at: time,
      started_at: null,
      finished_at: null,
      not_before: null,
      cancel_requested: false,
      progress: { stage: '', done: 0, total: 0, unit: '' },
      error: null,
      merge_method: '',
      recipe: '',
      recipe_digest: '',
      seed: 0,
      suites: [],
      model_id: null,
      parent_id: null,
      children: [],
      sweep_id: null,
      ...fields,
    };
    job.links = {
      self: `/api/v1/jobs/${job.id}`,
      events: `/api/v1/jobs/${job.id}/events`,
      log: `/api/v1/jobs/${job.id}/log`,
    };
    this.jobs.push(job);
    this.note(job, 'state', 'queued');
    return job;
  }

  submitMerge({ recipe, suites = [], name = '', seed = 0, sweep = null, at = null }) {
    const method = /merge_method:\s*(\S+)/.exec(recipe)?.[1] ?? '';
    const job = this.makeJob('merge', {
      name: name || `${method}-${digestOf(recipe).slice(0, 6)}`,
      merge_method: method,
      recipe,
      recipe_digest: digestOf(recipe),
      suites,
      seed,
      sweep_id: sweep,
    });
    job.at = at;
    return job;
  }

  submitEvaluation(model, suites, parent = null) {
    return suites.map((suite) => {
      const job = this.makeJob('evaluation', {
        name: model.name,
        suites: [suite],
        model_id: model.id,
        parent_id: parent?.id ?? null,
        sweep_id: parent?.sweep_id ?? null,
      });
      parent?.children.push(job.id);
      return job;
    });
  }

  submitSweep({ recipe, parameter, values, suites, name = '', seed = 0 }) {
    const id = this.sweeps.length + 1;
    const trials = values.map((value) => ({
      value,
      job_id: this.submitMerge({
        recipe,
        suites,
        seed,
        name: `${name || 'sweep'}-${value}`,
        sweep: id,
        at: value,
      }).id,
    }));
    const sweep = {
      id,
      name,
      parameter,
      recipe,
      suites,
      created_at: new Date().toISOString(),
      trials,
    };
    this.sweeps.push(sweep);
    return sweep;
  }

  note(job, type, message) {
    job.updated_at = new Date().toISOString();
    const { id: job_id, state, attempt, progress, updated_at: at } = job;
    const event = {
      id: this.events.length + 1,
      job_id,
      at,
      type,
      state,
      attempt,
      message,
      progress: { ...progress },
    };
    this.events.push(event);
    this.logs.set(job.id, `${this.logs.get(job.id) ?? ''}${at} ${type} ${message}\n`);
    for (const listener of this.listeners) listener(event);
  }

  fail(job, state, code, message, errors) {
    Object.assign(job, {
      state,
      attempt: Math.max(1, job.attempt),
      error: { code, message, errors },
    });
    if (state === 'failed') job.finished_at = new Date().toISOString();
    this.note(job, 'state', message);
  }

  /** One step: two jobs at work at once, `share` quarters of a job's way each. */
  advance(share = 1) {
    let atWork = this.jobs.filter((job) => job.state === 'running' && job.kind !== 'sweep');
    for (const job of this.jobs) {
      if (atWork.length >= 2) break;
      if (job.state !== 'queued' || job.kind === 'sweep') continue;
      job.state = 'running';
      job.attempt += 1;
      job.started_at = new Date().toISOString();
      const merge = job.kind === 'merge';
      job.progress = {
        stage: merge ? 'merge' : `evaluate ${job.suites[0]}`,
        done: 0,
        total: merge ? 2_716_672 : kSuites[job.suites[0]],
        unit: merge ? 'bytes' : 'items',
      };
      this.note(job, 'state', 'running');
      atWork = [...atWork, job];
    }
    for (const job of atWork) this.step(job, share);
  }

  step(job, share) {
    const { progress } = job;
    progress.done = Math.min(
      progress.total,
      progress.done + Math.ceil((progress.total * share) / 8),
    );
    if (progress.done < progress.total) return this.note(job, 'progress', '');
    if (job.kind === 'merge') this.finishMerge(job);
    else
      this.evaluate(
        this.models.find((m) => m.id === job.model_id),
        job.suites[0],
        job.id,
      );
    job.state = 'succeeded';
    job.finished_at = new Date().toISOString();
    return this.note(job, 'state', 'succeeded');
  }

  finishMerge(job) {
    const named = [...new Set([...job.recipe.matchAll(/model:\s*(\S+)/g)].map((m) => m[1]))];
    const parents = this.models.filter((model) => named.includes(model.name));
    const [a, b] = parents.filter((model) => model.name !== 'base').map((model) => model.name);
    const t = job.at ?? Number(/t:\s*([\d.]+)/.exec(job.recipe)?.[1] ?? 0.5);
    const model = this.addModel({
      name: job.name,
      origin: 'merged',
      scores: mixed(a, b, Math.min(1, Math.max(0, t))),
      method: job.merge_method,
      recipe: job.recipe,
      parents,
      job: job.id,
      sweep: job.sweep_id,
    });
    job.model_id = model.id;
    this.submitEvaluation(model, job.suites, job);
  }
}

function recipeOf(method, a, b, t) {
  return `merge_method: ${method}\nbase_model: ${method === 'slerp' ? a : 'base'}\nmodels:\n  - model: ${a}\n  - model: ${b}\nparameters:\n  t: ${t}\ndtype: bfloat16\n`;
}
