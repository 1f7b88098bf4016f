import { authorization, noteRefusal } from './token';
import { networkProblem, problemFrom, ProblemError } from './problem';
import type {
  Candidate,
  Comparison,
  Evaluation,
  Job,
  Leaderboard,
  MergeRequest,
  MethodInfo,
  Model,
  Page,
  Preflight,
  SearchRequest,
  Suite,
  Sweep,
  SweepBudget,
  SweepRequest,
} from './types';

// One function a route. All reject with ProblemError, or with AbortError when the signal fires.

export const kApi = '/api/v1';

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(kApi + path, {
      ...init,
      headers: { ...(init.headers as Record<string, string> | undefined), ...authorization() },
    });
  } catch (thrown) {
    if (init.signal?.aborted) throw thrown;
    throw new ProblemError(networkProblem());
  }
  if (response.ok) return response;
  if (response.status === 401) noteRefusal();
  let body: unknown = null;
  try {
    body = await response.json();
  } catch {
    // Not JSON: the status alone has to do.
  }
  throw new ProblemError(problemFrom(response.status, body));
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, {
    headers: { Accept: 'application/json' },
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}

/** All pages of a list. */
async function getAll<T>(path: string, signal?: AbortSignal): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const mark = path.includes('?') ? '&' : '?';
    const at: string =
      cursor === null ? path : `${path}${mark}cursor=${encodeURIComponent(cursor)}`;
    const page: Page<T> = await get<Page<T>>(at, signal);
    items.push(...page.items);
    cursor = page.next_cursor ?? null;
  } while (cursor !== null && cursor !== '');
  return { items, next_cursor: null };
}

async function getText(path: string, signal?: AbortSignal): Promise<string> {
  const response = await send(path, signal ? { signal } : {});
  return response.text();
}

async function post<T>(path: string, body?: unknown, key?: string): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  const init: RequestInit = { method: 'POST', headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  return (await (await send(path, init)).json()) as T;
}

function query(parameters: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

export interface LeaderboardQuery {
  sort?: string;
  order?: 'asc' | 'desc';
  suites?: string[];
}

export const api = {
  leaderboard: (q: LeaderboardQuery, signal?: AbortSignal) =>
    get<Leaderboard>(
      '/leaderboard' + query({ sort: q.sort, order: q.order, suites: q.suites?.join(',') }),
      signal,
    ),
  jobs: (q: { limit?: number; cursor?: string; sweep_id?: number }, signal?: AbortSignal) =>
    get<Page<Job>>('/jobs' + query(q), signal),
  job: (id: number, signal?: AbortSignal) => get<Job>(`/jobs/${id}`, signal),
  jobLog: (id: number, signal?: AbortSignal) => getText(`/jobs/${id}/log`, signal),
  cancelJob: (id: number) => post<Job>(`/jobs/${id}/cancel`),
  retryJob: (id: number) => post<Job>(`/jobs/${id}/retry`),
  models: (signal?: AbortSignal) => getAll<Model>('/models', signal),
  model: (id: number, signal?: AbortSignal) => get<Model>(`/models/${id}`, signal),
  modelRecipe: (id: number, signal?: AbortSignal) => getText(`/models/${id}/recipe`, signal),
  registerModel: (path: string, name: string) =>
    post<Model>('/models', name ? { path, name } : { path }),
  evaluations: (model: number, signal?: AbortSignal) =>
    getAll<Evaluation>('/evaluations' + query({ model }), signal),
  samples: (evaluation: number, signal?: AbortSignal) =>
    getText(`/evaluations/${evaluation}/samples`, signal),
  comparison: (a: number, b: number, suite: string, signal?: AbortSignal) =>
    get<Comparison>('/comparisons' + query({ a, b, suite }), signal),
  evaluate: (model: string, suites: string[]) => post<Page<Job>>('/evaluations', { model, suites }),
  suites: (signal?: AbortSignal) => getAll<Suite>('/suites', signal),
  methods: (signal?: AbortSignal) => getAll<MethodInfo>('/methods', signal),
  preflight: (body: MergeRequest) => post<Preflight>('/merges/preflight', body),
  submitMerge: (body: MergeRequest, key: string) => post<Job>('/merges', body, key),
  submitSweep: (body: SweepRequest, key: string) => post<Sweep>('/sweeps', body, key),
  sweeps: (signal?: AbortSignal) => getAll<Sweep>('/sweeps', signal),
  sweep: (id: number, signal?: AbortSignal) => get<Sweep>(`/sweeps/${id}`, signal),
  cancelSweep: (id: number) => post<Sweep>(`/sweeps/${id}/cancel`),
  submitSearch: (body: SearchRequest, key: string) => post<Sweep>('/searches', body, key),
  candidates: (id: number, signal?: AbortSignal) =>
    getAll<Candidate>(`/sweeps/${id}/trials?limit=10000`, signal),
  pauseSweep: (id: number) => post<Sweep>(`/sweeps/${id}/pause`),
  resumeSweep: (id: number, budget?: SweepBudget) =>
    post<Sweep>(`/sweeps/${id}/resume`, budget ? { budget } : undefined),
  forkSweep: (id: number, trial: number) => post<Sweep>(`/sweeps/${id}/fork`, { trial }),
};
