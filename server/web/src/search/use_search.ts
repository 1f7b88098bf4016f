import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Candidate, Problem, Sweep } from '../api/types';
import { subscribe } from '../live/events';

export interface SearchData {
  sweep: Sweep;
  candidates: Candidate[];
}

export interface LiveSearch {
  data: SearchData | null; // kept after a reload that failed
  problem: Problem | null;
  reload: () => void;
}

const kLeastGapMs = 1000;
/** Between two loads passes at least so many times what the last one took: thousands of trials are megabytes. */
const kRest = 4;

/** A search with all its candidates, loaded again on its job's events and on polling ticks, one load at a time. */
export function useSearch(id: number, first: Sweep): LiveSearch {
  const [data, setData] = useState<SearchData | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const jobId = useRef(first.search?.job_id ?? null);
  const ask = useRef<() => void>(() => undefined);
  useEffect(() => {
    const abort = new AbortController();
    let timer: number | undefined;
    let loading = false;
    let wanted = false;
    let notBefore = 0;
    const load = async () => {
      timer = undefined;
      loading = true;
      wanted = false;
      const begun = performance.now();
      try {
        const [sweep, { items }] = await Promise.all([
          api.sweep(id, abort.signal),
          api.candidates(id, abort.signal),
        ]);
        jobId.current = sweep.search?.job_id ?? null;
        setData({ sweep, candidates: items });
        setProblem(null);
      } catch (thrown) {
        if (abort.signal.aborted) return;
        setProblem(toProblem(thrown));
      }
      const end = performance.now();
      notBefore = end + Math.max(kLeastGapMs, kRest * (end - begun));
      loading = false;
      if (wanted) later();
    };
    const later = () => {
      wanted = true;
      if (loading || timer !== undefined) return;
      timer = window.setTimeout(() => void load(), Math.max(0, notBefore - performance.now()));
    };
    ask.current = () => {
      notBefore = 0;
      window.clearTimeout(timer);
      timer = undefined;
      later();
    };
    const stop = subscribe((event) => {
      if (event.job_id === jobId.current) later();
    }, later);
    void load();
    return () => {
      stop();
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [id]);
  const reload = useCallback(() => ask.current(), []);
  return { data, problem, reload };
}
