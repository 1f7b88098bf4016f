// Searches of the mock: invented trials whose estimates follow a smooth quality with noise, a race that
// eliminates, and a report. They grow on the timer like the jobs do.

const kRungs = [32, 64, 128];
const kFull = 128;
const kReport = 128;

function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const normal = (random) =>
  Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
const clamp = (v) => Math.min(1, Math.max(0, v));

/** How good each suite is at a point: a hill around a centre of its own. */
function truth(search, values) {
  const numbers = Object.values(values).flatMap((v) =>
    typeof v === 'number' ? [v] : Array.isArray(v) ? v.filter((x) => typeof x === 'number') : [],
  );
  return search.suites.map((_, s) => {
    const centre = (s + 1) / (search.suites.length + 1);
    const off = numbers.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (numbers.length || 1);
    return clamp(0.82 - 1.1 * off);
  });
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function answer(search, candidate, seen) {
  const { random } = search;
  candidate.seen = seen;
  candidate.suites = candidate.truth.map((p) =>
    clamp(p + normal(random) * Math.sqrt((p * (1 - p) * search.suites.length) / seen)),
  );
  candidate.estimate = mean(candidate.suites);
}

function candidateOf(search, name, trial, values, scores) {
  const recipe = trial === null && name !== 'default' ? '' : search.recipeOf(values);
  return {
    name,
    trial,
    values,
    recipe,
    model: recipe === '' ? name.replace(/^parent /, '') : null,
    standing: 'racing',
    seen: 0,
    estimate: null,
    suites: [],
    failure: null,
    truth: scores ?? truth(search, values),
  };
}

const drawOne = (random, entry) => {
  if (entry.choice) return entry.choice[Math.floor(random() * entry.choice.length)];
  const [low, high] = entry.float;
  const one = () =>
    Number(
      (entry.log
        ? low * (high / low) ** random()
        : low + (high - low) * clamp(0.5 + normal(random) * 0.28)
      ).toFixed(4),
    );
  return entry.knots ? Array.from({ length: entry.knots }, one) : one();
};

function addTrial(search) {
  const { random, space, candidates, trials } = search;
  const values = Object.fromEntries(
    Object.entries(space).map(([name, entry]) => [name, drawOne(random, entry)]),
  );
  const candidate = candidateOf(search, `t${trials}`, trials, values);
  search.trials += 1;
  candidates.push(candidate);
  if (random() < 0.02) {
    Object.assign(candidate, {
      standing: 'failed',
      seen: kRungs[0],
      estimate: 0,
      suites: search.suites.map(() => 0),
      failure: search.failure ?? 'weights make numbers that are not finite',
    });
    return;
  }
  const level = mean(candidate.truth) + normal(random) * 0.04;
  const rung = search.perSuite ? 2 : level > 0.74 ? 2 : level > 0.66 ? 1 : 0;
  answer(search, candidate, kRungs[rung]);
  search.evaluations += candidate.seen;
  if (rung < 2) candidate.standing = random() < 0.15 ? 'set aside' : 'eliminated';
}

function leader(search) {
  return (
    search.candidates
      .filter((one) => one.trial !== null && one.standing === 'racing' && one.estimate !== null)
      .sort((a, b) => b.seen - a.seen || b.estimate - a.estimate || a.trial - b.trial)[0] ?? null
  );
}

function scoreJson(score) {
  const half = 1.96 * Math.sqrt((score * (1 - score)) / kReport);
  return { score, low: clamp(score - half), high: clamp(score + half), items: kReport };
}

function referencesOf(search, own) {
  return search.candidates
    .filter((one) => one.trial === null)
    .map((one) => {
      const score = mean(one.truth);
      const difference = own - score;
      const [low, high] = [difference - 0.055, difference + 0.055];
      const verdict = low > 0 ? 'beats' : high < 0 ? 'worse' : 'no detectable difference';
      return {
        name: one.name,
        model: one.model,
        values: one.values,
        report: scoreJson(score),
        difference,
        low,
        high,
        probability_better: clamp(0.5 + difference * 8),
        wins: Math.round(20 + 60 * Math.max(0, difference)),
        losses: Math.round(20 - 40 * Math.min(0.4, Math.max(0, difference))),
        verdict,
      };
    });
}

function sentence(winner, references) {
  const named = (verdict) =>
    references
      .filter((one) => one.verdict === verdict)
      .map((one) => one.name)
      .join(', ');
  const { score, low, high, items } = winner.report;
  let text = `${winner.name} scores ${score.toFixed(3)} (95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}) on ${items} items that the sweep did not see.`;
  if (named('beats')) text += ` It beats ${named('beats')}.`;
  const level = named('no detectable difference');
  if (level) text += ` No detectable difference between it and ${level}.`;
  return text;
}

function raceJson(search) {
  const trials = search.candidates.filter((one) => one.trial !== null);
  const count = (standing) => trials.filter((one) => one.standing === standing).length;
  return {
    stopped: 'all remaining candidates have answered all items',
    evaluations: search.evaluations,
    exhaustive: search.candidates.length * kFull,
    trials: trials.length,
    eliminated: count('eliminated'),
    set_aside: count('set aside'),
    failed: count('failed'),
    alpha: 0.05,
  };
}

function frontJson(search) {
  const asked = search.candidates.filter((one) => one.trial !== null && one.seen === kFull);
  const beats = (a, b) =>
    a.suites.every((v, i) => v >= b.suites[i]) && a.suites.some((v, i) => v > b.suites[i]);
  return asked
    .filter((one) => !asked.some((other) => beats(other, one)))
    .map(({ name, trial, values, suites }) => ({ name, trial, values, suites }));
}

export function finish(search) {
  const best = leader(search);
  search.state = 'succeeded';
  if (!best) return;
  const own = clamp(mean(best.truth) + 0.01);
  const winner = {
    name: best.name,
    trial: best.trial,
    values: best.values,
    recipe: best.recipe,
    tune: { score: best.estimate, items: best.seen },
    report: { ...scoreJson(own), suites: best.truth },
  };
  const references = referencesOf(search, own);
  search.result = {
    verdict: search.verdict ?? sentence(winner, references),
    winner,
    references,
    inflation: {
      expected: 0.021,
      gaussian: 0.026,
      candidates: search.candidates.filter((one) => one.trial !== null && one.seen === kFull)
        .length,
    },
    race: raceJson(search),
    cost: { items: search.evaluations + 6 * kReport, tokens: search.evaluations * 41 },
    ...(search.perSuite ? { front: frontJson(search) } : {}),
  };
}

const budgetLine = (budget) =>
  `budget: {${Object.entries(budget)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')}}`;

function entryText({ choice, float, log, knots }) {
  if (choice) return `{choice: ${JSON.stringify(choice)}}`;
  return `{float: [${float}]${log ? ', log: true' : ''}${knots ? `, knots: ${knots}` : ''}}`;
}

export function documentOf(search) {
  const space = Object.entries(search.space).map(
    ([name, entry]) => `  ${JSON.stringify(name)}: ${entryText(entry)}`,
  );
  return `name: ${JSON.stringify(search.name)}
recipe:
  merge_method: task_arithmetic
  base_model: base
  models:
    - {model: sums, parameters: {weight: 0.5}}
    - {model: words, parameters: {weight: 0.5}}
  dtype: float32
space:
${space.join('\n')}
suites: ${JSON.stringify(search.suites)}
sampler: {name: ${search.sampler}}
${search.perSuite ? 'objectives: suites\n' : ''}${budgetLine(search.budget)}
`;
}

/** A search with its references, not begun. */
export function makeSearch({ seed = 1, perSuite = false, sampler = 'cma_es', ...given }) {
  const search = {
    trials: 0,
    evaluations: 0,
    candidates: [],
    result: null,
    error: null,
    state: 'queued',
    random: randomOf(seed),
    perSuite,
    sampler,
    recipeOf: (values) =>
      `merge_method: task_arithmetic\nbase_model: base\n# ${JSON.stringify(values)}\ndtype: float32\n`,
    ...given,
  };
  const flat = (high, at) => search.suites.map((_, i) => (i === at ? high : 0.42));
  (search.parents ?? ['base', 'sums', 'words']).forEach((parent, i) =>
    search.candidates.push(candidateOf(search, `parent ${parent}`, null, {}, flat(0.86, i - 1))),
  );
  const middle = Object.fromEntries(
    Object.entries(search.space).map(([name, { choice, float, knots }]) => {
      if (choice) return [name, choice[0]];
      const half = (float[0] + float[1]) / 2;
      return [name, knots ? Array.from({ length: knots }, () => half) : half];
    }),
  );
  search.candidates.push(candidateOf(search, 'default', null, middle));
  return search;
}

/** Adds up to `count` trials; finishes when the budget of trials is reached. */
export function grow(search, count) {
  if (search.evaluations === 0) {
    for (const one of search.candidates) {
      answer(search, one, kFull);
      search.evaluations += kFull;
    }
  }
  search.state = 'running';
  for (let i = 0; i < count && search.trials < search.budget.trials; i += 1) addTrial(search);
  if (search.trials >= search.budget.trials) finish(search);
}

export const publicCandidate = ({ truth: _, ...candidate }) => candidate;

export function searchAnswer(search, job) {
  const best = leader(search);
  return {
    document: search.document ?? documentOf(search),
    job_id: job.id,
    job_state: job.state,
    progress: job.progress,
    error: search.error,
    trials: search.trials,
    racing: search.candidates.filter((one) => one.trial !== null && one.standing === 'racing')
      .length,
    evaluations: search.evaluations,
    seconds: search.evaluations * 0.021,
    best: best && publicCandidate(best),
    result: search.result,
  };
}
