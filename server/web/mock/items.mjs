import { digestOf, kSuites } from './data.mjs';

// Items of the mock's suites and what its models answer: as many right ones as the score says. The suite
// "words" comes in lm-evaluation-harness's form, with prompts; the others as the daemon writes them.

const kAnimals = ['cat', 'dog', 'cow', 'horse', 'goose', 'sheep', 'goat', 'pig'];
const kYoung = ['kitten', 'puppy', 'calf', 'foal', 'gosling', 'lamb', 'kid', 'piglet'];

/** A number in [0, 1) that depends on the text only. */
function chance(text) {
  return Number.parseInt(digestOf(text).slice(8, 15), 16) / 0x10000000;
}

/** Numbers of the items that a model gets right: mostly the easy ones. */
function rightItems(evaluation) {
  const { model, suite, items, score } = evaluation;
  const ease = (i) => 0.7 * chance(`${suite} ${i}`) + 0.3 * chance(`${model.name} ${suite} ${i}`);
  const order = Array.from({ length: items }, (_, i) => i).sort((a, b) => ease(b) - ease(a));
  return new Set(order.slice(0, Math.round(score * items)));
}

/** The answers to an evaluation's items: the right choice, the chosen one, log-likelihoods. */
export function answersOf(evaluation) {
  const right = rightItems(evaluation);
  return Array.from({ length: evaluation.items }, (_, i) => {
    const gold = Math.floor(4 * chance(`gold ${evaluation.suite} ${i}`));
    const slip = 1 + Math.floor(3 * chance(`slip ${evaluation.model.name} ${i}`));
    const chosen = right.has(i) ? gold : (gold + slip) % 4;
    const logprobs = [0, 1, 2, 3].map((c) => {
      const drift = chance(`${evaluation.model.name} ${evaluation.suite} ${i} ${c}`);
      return -(c === chosen ? 0.1 + drift / 2 : 1 + 5 * drift);
    });
    return { gold, chosen, logprobs, value: chosen === gold ? 1 : 0 };
  });
}

function ownLine(evaluation, answer, i) {
  const { gold, chosen, logprobs, value } = answer;
  return {
    task: evaluation.suite,
    metric: 'acc',
    filter: 'none',
    higher_is_better: true,
    doc_id: i,
    document_id: String(i),
    doc_hash: digestOf(`${evaluation.suite} ${i}`),
    cluster: '',
    metrics: { acc: value, acc_norm: value },
    value,
    gold: [gold],
    logprobs,
    greedy: logprobs.map((_, c) => c === chosen),
  };
}

function harnessLine(evaluation, answer, i) {
  const { gold, chosen, logprobs, value } = answer;
  const animal = i % kAnimals.length;
  const others = kYoung.filter((_, k) => k !== animal);
  const choices = [0, 1, 2, 3].map((c) => (c === gold ? kYoung[animal] : others[(i + c) % 7]));
  const query = `Question ${i + 1}: what is the young of a ${kAnimals[animal]} called?\nAnswer:`;
  const requests = choices.map((c, k) => [`gen_args_${k}`, { arg_0: query, arg_1: ` ${c}` }]);
  return {
    doc_id: i,
    doc: { query, choices, gold },
    target: String(gold),
    arguments: Object.fromEntries(requests),
    resps: logprobs.map((p, c) => [[String(p), c === chosen ? 'True' : 'False']]),
    filter: 'none',
    metrics: ['acc'],
    doc_hash: digestOf(`${evaluation.suite} ${i}`),
    acc: value,
    crucible: { item: String(i), cluster: '', value, truncated: false, note: '' },
  };
}

export function samplesText(evaluation) {
  const line = evaluation.suite === 'words' ? harnessLine : ownLine;
  const lines = answersOf(evaluation).map((answer, i) => line(evaluation, answer, i));
  return lines.map((one) => `${JSON.stringify(one)}\n`).join('');
}

/** Two-sided binomial test of wins against losses (exact McNemar). */
function mcnemar(wins, losses) {
  const n = wins + losses;
  let [term, sum] = [0.5 ** n, 0];
  for (let k = 0; k <= Math.min(wins, losses); k += 1) {
    sum += term;
    term = (term * (n - k)) / (k + 1);
  }
  return n === 0 ? 1 : Math.min(1, 2 * sum);
}

function verdictOf(names, difference, items, p) {
  const facts = `(p ${p < 0.0001 ? '< 0.0001' : `= ${p.toPrecision(2)}`}, exact McNemar)`;
  const [leader, other] = difference > 0 ? names : [names[1], names[0]];
  return p < 0.05
    ? `${leader} is better than ${other} on these ${items} items ${facts}.`
    : `${names[0]} and ${names[1]} cannot be told apart on these ${items} items ${facts}.`;
}

function compareItems(a, b) {
  const [left, right] = [answersOf(a), answersOf(b)];
  const steps = left.map((one, i) => one.value - right[i].value);
  const items = steps.length;
  const wins = steps.filter((step) => step > 0).length;
  const losses = steps.filter((step) => step < 0).length;
  const difference = (wins - losses) / items;
  const squares = steps.reduce((sum, step) => sum + (step - difference) ** 2, 0);
  const standard_error = Math.sqrt(squares / (items - 1) / items);
  const half = 1.96 * standard_error;
  const interval = { low: difference - half, high: difference + half, kind: 'bootstrap' };
  const p = mcnemar(wins, losses);
  return { items, wins, losses, difference, standard_error, interval, p };
}

/** Two evaluations on one suite, as the comparison's route answers. */
export function comparisonOf(a, b) {
  const numbers = compareItems(a, b);
  const { items, wins, losses, difference, p } = numbers;
  const own = {
    metric: 'acc',
    filter: 'none',
    higher_is_better: true,
    mean_a: a.score,
    mean_b: b.score,
    ...numbers,
    ties: items - wins - losses,
    test: 'exact McNemar',
    told_apart: p < 0.05,
    further_items: null,
    verdict: verdictOf([a.model.name, b.model.name], difference, items, p),
  };
  return {
    a: a.model,
    b: b.model,
    suite: a.suite,
    tasks: [{ task: a.suite, ...own }],
    overall: { task: '', ...own },
    notes: [],
  };
}

export const kPromptTokens = Object.fromEntries(
  Object.entries(kSuites).map(([suite, items]) => [
    suite,
    { asked: 64 * items, computed: 13 * items },
  ]),
);
