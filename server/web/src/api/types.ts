// The API's JSON, as the server's records name it. Times are RFC 3339 UTC strings with milliseconds;
// shares (scores) are in [0, 1]; sizes are bytes.

export type Time = string;

export type JobKind = 'merge' | 'evaluation' | 'sweep';
export type JobState =
  | 'queued'
  | 'leased'
  | 'running'
  | 'publishing'
  | 'succeeded'
  | 'retry_wait'
  | 'failed'
  | 'dead'
  | 'cancelled';

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** One fault of an input; `path` in recipe notation, for example `models[1].parameters.weight`. */
export interface Fault {
  path: string;
  message: string;
  suggestion: string;
  pointer?: string;
}

/** application/problem+json (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors: Fault[];
}

export interface Progress {
  stage: string;
  done: number;
  total: number; // 0 while unknown
  unit: string;
}

export interface JobError {
  code: string;
  message: string;
  errors: Fault[];
}

/** Which of several exactly equal magnitudes comes first. */
export type Compatibility = 'none' | 'mergekit';

export interface Job {
  id: number;
  kind: JobKind;
  state: JobState;
  name: string;
  attempt: number;
  max_attempts: number;
  created_at: Time;
  updated_at: Time;
  started_at: Time | null;
  finished_at: Time | null;
  not_before: Time | null;
  cancel_requested: boolean;
  progress: Progress;
  error: JobError | null;
  merge_method: string;
  recipe?: string; // only of a single job
  recipe_digest: string;
  seed: number;
  compatibility: Compatibility;
  allow_nonfinite: boolean;
  suites: string[];
  model_id: number | null;
  parent_id: number | null;
  children: number[];
  sweep_id: number | null;
}

export interface JobEvent {
  id: number;
  job_id: number;
  at: Time;
  type: 'state' | 'progress';
  state: JobState;
  attempt: number;
  message: string;
  progress: Progress;
}

export interface ModelSummary {
  id: number;
  name: string;
}

export type Origin = 'registered' | 'merged';

export interface Model {
  id: number;
  name: string;
  origin: Origin;
  digest: string;
  path: string;
  architecture: string;
  dtype: string;
  parameters: number;
  weight_bytes: number;
  created_at: Time;
  merge_method: string;
  job_id: number | null;
  sweep_id: number | null;
  pinned_at?: Time | null; // garbage collection leaves it alone
  removed_at?: Time | null; // its files are gone; its recipe makes them again
  parents: ModelSummary[];
  children: ModelSummary[];
}

/** 95 %. */
export interface Interval {
  low: number;
  high: number;
  kind: 'wilson' | 'cluster-robust' | 'bootstrap' | 'normal' | 'propagated';
}

export interface MetricScore {
  name: string;
  filter: string;
  higher_is_better: boolean;
  value: number | null; // null when not finite
  standard_error: number | null;
  interval: Interval | null;
}

export interface TaskScore {
  task: string;
  version: string;
  digest: string;
  primary_metric: string;
  primary_filter: string;
  items: number;
  metrics: MetricScore[];
}

export interface Evaluation {
  id: number;
  model: ModelSummary;
  suite: string;
  suite_digest: string;
  engine: string;
  dtype: string;
  score: number;
  standard_error: number | null;
  items: number;
  seconds: number;
  created_at: Time;
  job_id: number | null;
  tasks: TaskScore[];
  interval: Interval | null;
  flags: string[]; // what makes the score doubtful
  prompt_tokens_asked?: number;
  prompt_tokens_computed?: number; // the rest was shared between prompts
}

/** Two models on the same items: `difference` is the mean of a minus the mean of b. */
export interface TaskComparison {
  task: string; // empty for all tasks together
  metric: string;
  filter: string;
  higher_is_better: boolean;
  items: number;
  mean_a: number | null;
  mean_b: number | null;
  wins: number; // items on which a is better
  losses: number;
  ties: number;
  difference: number | null;
  standard_error: number | null;
  interval: Interval | null;
  p: number | null;
  test: string;
  told_apart: boolean;
  further_items: number | null;
  verdict: string;
}

export interface Comparison {
  a: ModelSummary;
  b: ModelSummary;
  suite: string;
  tasks: TaskComparison[];
  overall: TaskComparison | null; // null where the tasks' values cannot be added up
  notes: string[];
}

export interface Suite {
  name: string;
  description: string;
  error: string | null; // null = usable
  built_in: boolean;
  judge: string; // who grades it; '' = rules
  missing: string[]; // data sets that it needs and the daemon's machine lacks
  tasks: string[];
  items: number;
  digest: string;
}

export interface Score {
  value: number;
  standard_error: number | null;
  interval?: Interval | null;
  items: number;
  flagged?: boolean; // its evaluation says what makes it doubtful
  evaluation_id?: number | null;
}

export interface LeaderboardRow {
  rank: number;
  model: ModelSummary;
  origin: Origin;
  merge_method: string;
  digest: string;
  parents: ModelSummary[];
  is_parent: boolean;
  sweep_id: number | null;
  tuned_on: string[]; // suites of its sweep
  scores: Record<string, Score>;
  mean: Score | null;
}

export interface Leaderboard {
  suites: string[];
  rows: LeaderboardRow[];
}

export interface Trial {
  value: number;
  job_id: number;
  state: JobState;
  model_id: number | null;
  scores: Record<string, Score>;
  mean: Score | null;
}

/** Not running any more, or `queued` and `paused`, which only searches are. */
export type SweepState = 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled';

export interface Sweep {
  id: number;
  name: string;
  state: SweepState;
  parameter: string; // '' for a search
  recipe: string;
  suites: string[];
  created_at: Time;
  best_trial: number | null;
  trials: Trial[];
  search?: Search | null; // a sampler and races instead of fixed values
}

export type Standing = 'racing' | 'eliminated' | 'set aside' | 'failed';

/** One point of a search's space, or what all are measured against: a parent, the default recipe. */
export interface Candidate {
  name: string;
  trial: number | null; // null for a reference
  values: Record<string, unknown>; // numbers, lists (gradients), maps by filter, texts
  recipe: string;
  model: string | null;
  standing: Standing;
  seen: number; // tune items answered
  estimate: number | null; // from these
  suites: (number | null)[];
  failure: string | null;
}

/** What a search has come to. */
export interface Search {
  document: string; // YAML, or JSON
  job_id: number | null;
  job_state: JobState;
  progress: Progress;
  error: JobError | null;
  trials: number;
  racing: number;
  evaluations: number; // answers so far, of tune and report items
  seconds: number;
  best: Candidate | null;
  result: SearchResult | null;
}

/** A score on items that the search did not see, with its 95 % interval. */
export interface ReportScore {
  score: number | null;
  low: number | null;
  high: number | null;
  items: number;
  suites?: (number | null)[];
}

export interface Winner {
  name: string;
  trial: number;
  values: Record<string, unknown>;
  recipe: string;
  tune: { score: number | null; items: number };
  report: ReportScore;
}

/** The winner minus a reference, on the same items. */
export interface ReferenceResult {
  name: string;
  model: string | null;
  report: ReportScore;
  difference: number | null;
  low: number | null;
  high: number | null;
  probability_better: number | null;
  wins: number;
  losses: number;
  verdict: string;
}

export interface SearchResult {
  verdict: string;
  winner: Winner | null;
  references: ReferenceResult[];
  /** How much the best of so many is expected to score too high on the items it was chosen by. */
  inflation?: { expected: number | null; gaussian: number | null; candidates: number };
  race: {
    stopped: string;
    evaluations: number;
    exhaustive: number; // answers that asking all everything would have taken
    trials: number;
    eliminated: number;
    set_aside: number;
    failed: number;
    alpha?: number;
  };
  cost: { items: number; tokens: number };
  front?: {
    name: string;
    trial?: number;
    values: Record<string, unknown>;
    suites: (number | null)[];
  }[];
}

/** 0 = no limit of its own. */
export interface SweepBudget {
  trials?: number;
  merges?: number;
  items?: number;
  tokens?: number;
  minutes?: number;
}

export interface Preflight {
  architecture: string;
  layers: number;
  tensors: number;
  parameters: number;
  output_bytes: number;
  input_bytes: number;
  memory_bytes: number;
  free_disk_bytes: number;
  dtype: string;
  warnings: Fault[];
}

export interface ParameterInfo {
  name: string;
  kind: 'number' | 'boolean';
  per_model: boolean;
  required: boolean;
  default: number | boolean | string | null;
  minimum: number | null;
  maximum: number | null;
  meaning: string;
}

export interface MethodInfo {
  name: string;
  meaning: string;
  base_model: 'ignored' | 'optional' | 'required';
  least_models: number;
  most_models: number | null;
  parameters: ParameterInfo[];
}

export interface MergeRequest {
  recipe: string;
  suites?: string[];
  name?: string;
  seed?: number;
  compatibility?: Compatibility;
  allow_nonfinite?: boolean;
}

export interface SweepRequest extends MergeRequest {
  parameter: string;
  values: number[];
}

export interface SearchRequest {
  document: string;
  name?: string;
}
