import { grow, makeSearch, publicCandidate, searchAnswer } from './searches.mjs';
import { problem } from './answers.mjs';

// The searches of the mock's world, and the routes that change them, refusing where the daemon does.

const kWeights = {
  sums: { float: [0, 1] },
  words: { float: [0, 1] },
  feelings: { float: [0, 1] },
};

export const kHostile = '</script><img src=x onerror=window.hostile=1>';

function seeds() {
  return [
    {
      name: 'slerp-t',
      space: { 'parameters.t': { float: [0, 1] } },
      suites: ['words'],
      sampler: 'adaptive',
      budget: { trials: 24, items: 8000 },
      now: 24,
    },
    {
      name: 'family-weights',
      space: kWeights,
      suites: ['sums', 'words', 'feelings'],
      budget: { trials: 120, items: 40000, minutes: 30 },
      now: 120,
      seed: 3,
    },
    {
      name: 'two-objectives',
      space: { sums: { float: [0, 1] }, words: { float: [0, 1] } },
      suites: ['sums', 'words'],
      sampler: 'nsga2',
      perSuite: true,
      budget: { trials: 200 },
      now: 200,
      seed: 4,
    },
    {
      name: 'mixed-space',
      space: {
        rate: { float: [0.001, 1], log: true },
        curve: { float: [0, 1], knots: 3 },
        method: { choice: ['ties', 'dare_ties', 'linear'] },
      },
      suites: ['sums', 'words'],
      sampler: 'tpe',
      budget: { trials: 400, tokens: 9_000_000 },
      now: 60,
      seed: 5,
      lives: true,
    },
    {
      name: 'ten-thousand',
      space: {
        ...kWeights,
        density: { float: [0, 1] },
        gamma: { float: [0, 1] },
        rate: { float: [0.001, 1], log: true },
      },
      suites: ['sums', 'words'],
      sampler: 'sobol',
      budget: { trials: 10_000 },
      now: 10_000,
      seed: 6,
    },
    {
      name: kHostile,
      space: {
        [`parameters["${kHostile}"]`]: { float: [0, 1] },
        kind: { choice: [kHostile, 'b'] },
      },
      suites: [kHostile, `"><svg onload=window.hostile=1>`],
      parents: ['base', kHostile],
      budget: { trials: 60 },
      failure: `tensor ${kHostile} is missing`,
      verdict: `t1 scores 0.7. It beats parent ${kHostile}.`,
      now: 60,
      seed: 7,
      perSuite: true,
      broken: true,
    },
  ];
}

export class Searches {
  #world;

  constructor(world) {
    this.#world = world;
    for (const seed of seeds()) this.#seed(seed);
  }

  #seed({ now, lives, broken, ...given }) {
    const sweep = this.#add(makeSearch(given));
    grow(sweep.search, now);
    sweep.search.lives = lives ?? false;
    if (broken)
      sweep.search.error = {
        code: 'internal',
        message: kHostile,
        errors: [{ path: kHostile, message: kHostile, suggestion: kHostile }],
      };
    this.#settle(sweep);
  }

  #add(search) {
    const world = this.#world;
    const id = world.sweeps.length + 1;
    const sweep = {
      id,
      name: search.name,
      parameter: '',
      recipe: search.recipeOf({}),
      suites: search.suites,
      created_at: new Date().toISOString(),
      trials: [],
      search,
    };
    search.job = world.makeJob('sweep', { name: search.name, suites: search.suites, sweep_id: id });
    world.sweeps.push(sweep);
    return sweep;
  }

  #settle({ search }) {
    const { job, state, trials, budget } = search;
    job.state = state === 'paused' ? 'cancelled' : state;
    job.progress = {
      stage: `t${trials}: evaluate`,
      done: trials,
      total: budget.trials,
      unit: 'trials',
    };
    this.#world.note(job, 'state', state);
  }

  /** Every running search gets on. */
  advance() {
    for (const sweep of this.#world.sweeps) {
      const { search } = sweep;
      if (!search || !['queued', 'running'].includes(search.state) || search.lives === false)
        continue;
      grow(search, 2);
      this.#settle(sweep);
    }
  }

  answer(sweep) {
    const { search, ...rest } = sweep;
    return {
      ...rest,
      state: search.state,
      best_trial: null,
      search: searchAnswer(search, search.job),
    };
  }

  trials({ search }, query) {
    const after = Number(query.get('cursor') ?? -1);
    const limit = Number(query.get('limit') ?? 500);
    const known = search.candidates.filter((one) => after < 0 || (one.trial ?? -1) > after);
    const page = known.slice(0, limit);
    return {
      items: page.map(publicCandidate),
      next_cursor: page.length < known.length ? String(page.at(-1).trial) : null,
    };
  }

  submit({ document, name }) {
    const faults = [];
    if (!/^space:/m.test(document))
      faults.push({
        path: 'document.space',
        pointer: '#/document/space',
        message: 'must name what is varied',
        suggestion: 'such as {t: {float: [0, 1]}}',
      });
    for (const [, entry, low, high] of document.matchAll(/^ {2}(\w+): \{float: \[(\S+), (\S+)\]/gm))
      if (Number(low) >= Number(high))
        faults.push({
          path: `document.space.${entry}.float`,
          pointer: `#/document/space/${entry}/float`,
          message: 'must be two numbers, the lower one first',
          suggestion: '',
        });
    if (faults.length > 0)
      return problem(
        422,
        'Unprocessable Content',
        'invalid_argument',
        faults,
        'the sweep document cannot be used',
      );
    const search = makeSearch({
      name: name || 'sweep',
      document,
      space: kWeights,
      suites: ['sums', 'words', 'feelings'],
      budget: { trials: 60 },
    });
    return { status: 202, body: this.answer(this.#add(search)) };
  }

  act(sweep, verb, body) {
    const { search } = sweep;
    const running = ['queued', 'running'].includes(search.state);
    const conflict = (detail) => problem(409, 'Conflict', 'conflict', [], detail);
    if (verb === 'fork') {
      const from = search.candidates.find((one) => one.trial === body.trial);
      if (!from) return problem(404, 'Not Found', 'not_found', [], 'there is no such trial');
      const { space, suites, sampler, perSuite } = search;
      const fork = makeSearch({
        space,
        suites,
        sampler,
        perSuite,
        budget: search.budget,
        name: `fork-of-${sweep.id}-t${body.trial}`,
      });
      return { status: 202, body: this.answer(this.#add(fork)) };
    }
    if (verb === 'resume') {
      if (running) return conflict(`sweep ${sweep.id} is still ${search.state}; pause it first`);
      if (search.result && !body.budget)
        return conflict(`sweep ${sweep.id} is over; it goes on with a larger budget`);
      Object.assign(search.budget, body.budget);
      Object.assign(search, { state: 'queued', result: null, error: null, lives: true });
    } else {
      if (!running) return conflict(`sweep ${sweep.id} does not run`);
      search.state = verb === 'pause' ? 'paused' : 'cancelled';
    }
    this.#settle(sweep);
    return { status: 202, body: this.answer(sweep) };
  }
}
