import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Comparison, Evaluation, Problem } from '../api/types';

/** A question for the server: model `a` against model `b` by these evaluations. */
export interface Contest {
  a: Evaluation;
  b: Evaluation;
}

export type Answered = { comparison: Comparison } | { problem: Problem };

const kAtOnce = 3; // leaves connections for the event stream and the rest
const kKept = 400;
const kept = new Map<string, Answered>(); // what two evaluations say of each other never changes

export function contestKey({ a, b }: Contest): string {
  return `${a.id} ${b.id}`;
}

async function ask({ a, b }: Contest, signal: AbortSignal): Promise<Answered> {
  try {
    return { comparison: await api.comparison(a.model.id, b.model.id, a.suite, signal) };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    return { problem: toProblem(thrown) };
  }
}

/** The comparisons that have been answered so far, by contestKey(). */
export function useComparisons(contests: Contest[]): ReadonlyMap<string, Answered> {
  const [answers, setAnswers] = useState<ReadonlyMap<string, Answered>>(kept);
  const asked = contests.map(contestKey).join(',');
  useEffect(() => {
    const abort = new AbortController();
    const waiting = contests.filter((contest) => !kept.has(contestKey(contest)));
    const work = async () => {
      for (let next = waiting.shift(); next && !abort.signal.aborted; next = waiting.shift()) {
        const answer = await ask(next, abort.signal);
        if ('comparison' in answer && kept.size < kKept) kept.set(contestKey(next), answer);
        const key = contestKey(next);
        setAnswers((old) => new Map([...old, [key, answer]]));
      }
    };
    setAnswers(new Map(kept));
    for (let i = 0; i < kAtOnce; i += 1) work().catch(() => undefined); // aborted
    return () => abort.abort();
  }, [asked]);
  return answers;
}
