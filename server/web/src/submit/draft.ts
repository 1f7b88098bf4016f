import { signal } from '@preact/signals';
import type { Problem, Preflight } from '../api/types';

// What is being written; outlives the view so that a look at the queue loses nothing.

export type Mode = 'merge' | 'sweep' | 'search';

export interface Draft {
  mode: Mode;
  recipe: string;
  document: string; // of a search
  name: string;
  seed: string;
  suites: ReadonlySet<string> | null; // null = not chosen yet: all usable ones
  parameter: string;
  from: string;
  to: string;
  points: string;
}

export const draft = signal<Draft>({
  mode: 'merge',
  recipe: '',
  document: '',
  name: '',
  seed: '0',
  suites: null,
  parameter: 'parameters.t',
  from: '0',
  to: '1',
  points: '5',
});

/** What the server last said about the recipe `of`; shown until the recipe changes. */
export interface Verdict {
  of: string;
  preflight: Preflight | null;
  problem: Problem | null;
}
export const verdict = signal<Verdict | null>(null);
/** The same of the sweep document. */
export const documentVerdict = signal<{ of: string; problem: Problem } | null>(null);

let key = '';

/** Sent as Idempotency-Key: the same until the draft changes, so that a repeated click submits once. */
export function submissionKey(): string {
  if (key === '') {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  return key;
}

export function renewKey(): void {
  key = '';
}

export function change(changes: Partial<Draft>): void {
  draft.value = { ...draft.value, ...changes };
  renewKey();
}
