import type { Fault, Problem } from './types';

/** A request that failed, with the server's problem document (or one of our own when none came). */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ProblemError';
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function faultFrom(value: unknown): Fault {
  const record = (value ?? {}) as Record<string, unknown>;
  const fault: Fault = {
    path: text(record['path']),
    message: text(record['message']),
    suggestion: text(record['suggestion']),
  };
  const pointer = text(record['pointer']);
  return pointer ? { ...fault, pointer } : fault;
}

/** Reads a problem document tolerantly: a proxy's answer need not be one. */
export function problemFrom(status: number, body: unknown): Problem {
  const record = (body ?? {}) as Record<string, unknown>;
  const errors = Array.isArray(record['errors']) ? record['errors'].map(faultFrom) : [];
  return {
    type: text(record['type']) || 'about:blank',
    title: text(record['title']) || `The server answered ${status}`,
    status,
    detail: text(record['detail']),
    code: text(record['code']),
    errors,
  };
}

export function networkProblem(): Problem {
  return {
    type: 'about:blank',
    title: 'No answer from the server',
    status: 0,
    detail: 'The daemon did not answer. It may be stopped or restarting.',
    code: 'unavailable',
    errors: [],
  };
}

/** Any thrown value as a problem that can be shown. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof ProblemError) return thrown.problem;
  return {
    type: 'about:blank',
    title: 'The page failed',
    status: 0,
    detail: thrown instanceof Error ? thrown.message : String(thrown),
    code: 'internal',
    errors: [],
  };
}
