// Items of an evaluation with a model's answers, from JSON lines in either of two forms: the daemon's
// own (task, doc_id, gold, logprobs, generations, value) and lm-evaluation-harness's (doc, arguments,
// resps, target), which carries the prompts.

export interface Sample {
  key: string; // the same for the same item in another model's samples
  task: string;
  id: string;
  prompt: string | null; // null where the samples do not carry it
  choices: string[]; // empty where there are none, or they are not carried
  gold: number[]; // numbers of the right choices
  target: string; // the right answer as text; '' where it is one of the choices
  logprobs: number[]; // of each choice, natural logarithm
  greedy: boolean[]; // whether the choice is what greedy decoding would say
  generations: string[];
  value: number | null; // of the primary metric; null when not finite
  metric: string;
  higher_is_better: boolean;
  metrics: Record<string, number>;
  note: string;
  truncated: boolean;
}

export interface Samples {
  samples: Sample[];
  unread: number; // lines that are no sample
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const array = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function number(value: unknown): number | null {
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof read === 'number' && Number.isFinite(read) ? read : null;
}

function numbersOf(value: unknown): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, own] of isObject(value) ? Object.entries(value) : []) {
    const read = number(own);
    if (read !== null) found[name] = read;
  }
  return found;
}

function golds(value: unknown): number[] {
  const all = Array.isArray(value) ? value : [value];
  return all.map(number).filter((one) => one !== null);
}

function keyOf(task: string, line: Json): string {
  return `${task} ${String(line['doc_id'] ?? line['document_id'] ?? '')} ${text(line['doc_hash'])}`;
}

function ownSample(line: Json): Sample {
  const task = text(line['task']);
  return {
    key: keyOf(task, line),
    task,
    id: String(line['document_id'] ?? line['doc_id'] ?? ''),
    prompt: typeof line['prompt'] === 'string' ? line['prompt'] : null,
    choices: array(line['choices']).map(String),
    gold: golds(line['gold'] ?? []),
    target: text(line['target']),
    logprobs: array(line['logprobs']).map((one) => number(one) ?? Number.NEGATIVE_INFINITY),
    greedy: array(line['greedy']).map((one) => one === true),
    generations: array(line['generations']).map(String),
    value: number(line['value']),
    metric: text(line['metric']),
    higher_is_better: line['higher_is_better'] !== false,
    metrics: numbersOf(line['metrics']),
    note: text(line['note']),
    truncated: line['truncated'] === true,
  };
}

/** The harness's requests of an item: prompt and, for each choice, what was appended. */
function harnessRequests(line: Json): { prompt: string | null; continuations: string[] } {
  const requests = isObject(line['arguments']) ? Object.values(line['arguments']) : [];
  const first = isObject(requests[0]) ? requests[0]['arg_0'] : undefined;
  const continuations = requests
    .map((one) => (isObject(one) ? one['arg_1'] : undefined))
    .filter((one) => typeof one === 'string');
  return { prompt: typeof first === 'string' ? first : null, continuations };
}

function harnessSample(line: Json): Sample {
  const own = isObject(line['crucible']) ? line['crucible'] : {};
  const { prompt, continuations } = harnessRequests(line);
  const answers = array(line['resps']).map((one) => array(one));
  const pairs = answers.map((one) => array(one[0])).filter((one) => one.length === 2);
  const likelihoods = pairs.length === answers.length && continuations.length > 0;
  const names = array(line['metrics']).map(String);
  const metrics = numbersOf(Object.fromEntries(names.map((name) => [name, line[name]])));
  const gold = continuations.length > 1 ? golds(line['target'] ?? []) : [];
  return {
    key: keyOf(text(line['task']), line),
    task: text(line['task']),
    id: String(own['item'] ?? line['doc_id'] ?? ''),
    prompt,
    choices: continuations.map((one) => one.trim()),
    gold,
    target: gold.length > 0 ? '' : String(line['target'] ?? ''),
    logprobs: likelihoods ? pairs.map((one) => number(one[0]) ?? Number.NEGATIVE_INFINITY) : [],
    greedy: likelihoods ? pairs.map((one) => one[1] === 'True' || one[1] === true) : [],
    generations: likelihoods ? [] : answers.flatMap((one) => one.map(String)),
    value: 'value' in own ? number(own['value']) : (Object.values(metrics)[0] ?? null),
    metric: names[0] ?? '',
    higher_is_better: true,
    metrics,
    note: text(own['note']),
    truncated: own['truncated'] === true,
  };
}

/** Reads JSON lines; an item under several filters is taken once, under the first. */
export function parseSamples(lines: string): Samples {
  const samples = new Map<string, Sample>();
  let unread = 0;
  for (const line of lines.split('\n')) {
    if (line.trim() === '') continue;
    let json: unknown = null;
    try {
      json = JSON.parse(line);
    } catch {
      // Counted below.
    }
    if (!isObject(json) || !('doc_id' in json || 'document_id' in json)) {
      unread += 1;
      continue;
    }
    const sample = 'resps' in json ? harnessSample(json) : ownSample(json);
    if (!samples.has(sample.key)) samples.set(sample.key, sample);
  }
  return { samples: [...samples.values()], unread };
}

/** Number of the most probable choice; null without log-likelihoods of choices. */
export function chosenOf(sample: Sample): number | null {
  if (sample.logprobs.length < 2) return null;
  return sample.logprobs.indexOf(Math.max(...sample.logprobs));
}

export function choiceName(sample: Sample, index: number): string {
  return sample.choices[index] ?? `choice ${index + 1}`;
}

/** What the model said, on one line's worth of text. */
export function answerText(sample: Sample): string {
  const chosen = chosenOf(sample);
  if (chosen !== null) return choiceName(sample, chosen);
  if (sample.generations.length > 0) return sample.generations[0] ?? '';
  const only = sample.logprobs[0];
  return only === undefined ? '' : `log-likelihood ${only.toFixed(2)}`;
}

export type Outcome = 'right' | 'wrong' | 'graded';

/** Right and wrong are the ends of a score from 0 to 1; whatever else there is, is graded. */
export function outcomeOf(sample: Sample): Outcome {
  if (!sample.higher_is_better) return 'graded';
  return sample.value === 1 ? 'right' : sample.value === 0 ? 'wrong' : 'graded';
}

function haystack(sample: Sample): string {
  const { id, task, prompt, choices, target, generations } = sample;
  return [id, task, prompt ?? '', ...choices, target, ...generations].join('\n').toLowerCase();
}

/** Whether the item or its answers contain every word of `query`. */
export function mentions(query: string, ...samples: Sample[]): boolean {
  const words = query.toLowerCase().split(/\s+/);
  const hay = samples.map(haystack).join('\n');
  return words.every((word) => hay.includes(word));
}

export type PairOutcome = 'win' | 'loss' | 'tie';

/** One item answered by two models; a win is the first one's. */
export interface Pair {
  key: string;
  a: Sample;
  b: Sample;
  outcome: PairOutcome;
}

/** Items that both models answered with a finite value, in the first one's order. */
export function pairSamples(a: Sample[], b: Sample[]): Pair[] {
  const others = new Map(b.map((sample) => [sample.key, sample]));
  return a.flatMap((own) => {
    const other = others.get(own.key);
    if (!other || own.value === null || other.value === null) return [];
    const ahead = (own.value - other.value) * (own.higher_is_better ? 1 : -1);
    const outcome: PairOutcome = ahead > 0 ? 'win' : ahead < 0 ? 'loss' : 'tie';
    return [{ key: own.key, a: own, b: other, outcome }];
  });
}
