// A realistic small world for developing the page without the daemon.

export const kSuites = { feelings: 200, sums: 39, words: 128 };

const kAccuracy = {
  base: { feelings: 0.445, sums: 0.179, words: 0.508 },
  sums: { feelings: 0.48, sums: 0.59, words: 0.508 },
  words: { feelings: 0.395, sums: 0.154, words: 1.0 },
  feelings: { feelings: 0.905, sums: 0.154, words: 0.531 },
};

export function digestOf(text) {
  let state = 2166136261;
  let out = '';
  for (let round = 0; out.length < 64; round += 1) {
    for (const c of text + round) state = Math.imul(state ^ c.charCodeAt(0), 16777619) >>> 0;
    out += state.toString(16).padStart(8, '0');
  }
  return out;
}

function wilson(hits, trials) {
  const z = 1.959964;
  const p = hits / trials;
  const scale = 1 + (z * z) / trials;
  const centre = (p + (z * z) / (2 * trials)) / scale;
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials));
  return { low: centre - half, high: centre + half, kind: 'wilson' };
}

export function scoreOf(suite, value) {
  const items = kSuites[suite];
  const correct = Math.round(value * items);
  const share = correct / items;
  const interval = wilson(correct, items);
  const standard_error = Math.sqrt((share * (1 - share)) / (items - 1));
  return { value: share, standard_error, interval, items };
}

/** Invented scores of a mix: `t` of the way from `a` to `b`. */
export function mixed(a, b, t) {
  const bump = 1 - 0.28 * 4 * t * (1 - t);
  const values = {};
  for (const suite of Object.keys(kSuites)) {
    const low = kAccuracy.base[suite];
    const from = kAccuracy[a]?.[suite] ?? 0.5;
    const to = kAccuracy[b]?.[suite] ?? 0.5;
    values[suite] = low + (Math.max(from * (1 - t * t), to * (1 - (1 - t) ** 2), low) - low) * bump;
  }
  return values;
}

export const kFamily = Object.entries(kAccuracy);

export const kMethods = [
  {
    name: 'dare_ties',
    meaning: 'Task vectors with random drops and rescaling, then sign election (Yu et al. 2023)',
    base_model: 'required',
    least_models: 1,
    most_models: null,
    parameters: [
      parameter('density', {
        per_model: true,
        default: 1,
        minimum: 0,
        maximum: 1,
        meaning: 'Share of entries kept',
      }),
      parameter('weight', {
        per_model: true,
        required: true,
        meaning: 'Factor of the task vector',
      }),
      parameter('normalize', {
        kind: 'boolean',
        default: true,
        meaning: 'Divide by the sum of weights',
      }),
    ],
  },
  {
    name: 'linear',
    meaning: 'Weighted mean of the weights (Wortsman et al. 2022)',
    base_model: 'ignored',
    least_models: 1,
    most_models: null,
    parameters: [
      parameter('weight', { per_model: true, required: true, meaning: 'Factor of the model' }),
      parameter('normalize', {
        kind: 'boolean',
        default: true,
        meaning: 'Divide by the sum of weights',
      }),
    ],
  },
  {
    name: 'passthrough',
    meaning: 'Layers as they are, stacked',
    base_model: 'ignored',
    least_models: 1,
    most_models: 1,
    parameters: [],
  },
  {
    name: 'slerp',
    meaning: 'Spherical interpolation of two models (Shoemake 1985)',
    base_model: 'required',
    least_models: 2,
    most_models: 2,
    parameters: [
      parameter('t', {
        required: true,
        minimum: 0,
        maximum: 1,
        meaning: '0 is the base model, 1 the other',
      }),
    ],
  },
  {
    name: 'task_arithmetic',
    meaning: 'Base plus weighted task vectors (Ilharco et al. 2022)',
    base_model: 'required',
    least_models: 1,
    most_models: null,
    parameters: [
      parameter('weight', {
        per_model: true,
        required: true,
        meaning: 'Factor of the task vector',
      }),
    ],
  },
  {
    name: 'ties',
    meaning: 'Task vectors pruned by magnitude, then sign election (Yadav et al. 2023)',
    base_model: 'required',
    least_models: 1,
    most_models: null,
    parameters: [
      parameter('density', {
        per_model: true,
        default: 1,
        minimum: 0,
        maximum: 1,
        meaning: 'Share of entries kept',
      }),
      parameter('weight', {
        per_model: true,
        required: true,
        meaning: 'Factor of the task vector',
      }),
    ],
  },
];

function parameter(name, rest) {
  return {
    name,
    kind: 'number',
    per_model: false,
    required: false,
    default: null,
    minimum: null,
    maximum: null,
    meaning: '',
    ...rest,
  };
}
