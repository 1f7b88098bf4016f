// The API's JSON, as the server's records name it. Times are RFC 3339 UTC strings with milliseconds;
// shares (scores) are in [0, 1]; sizes are bytes.

export type Time = string;

export type JobKind = 'merge' | 'evaluation';
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

export interface Sweep {
  id: number;
  name: string;
  state: 'running' | 'succeeded' | 'failed' | 'cancelled';
  parameter: string;
  recipe: string;
  suites: string[];
  created_at: Time;
  best_trial: number | null;
  trials: Trial[];
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
