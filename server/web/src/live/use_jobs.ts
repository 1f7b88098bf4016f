import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Job, JobEvent, Problem } from '../api/types';
import { subscribe } from './events';
import { applyEvent, mergeJobs } from './job_list';

export interface Jobs {
  jobs: Job[] | null;
  problem: Problem | null;
  more: boolean; // older jobs exist that are not loaded
  loadMore: () => void;
  put: (job: Job) => void; // what an action answered
}

const kPageSize = 100;

/** The newest jobs, kept current by events (or polling). */
export function useJobs(): Jobs {
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const known = useRef(new Set<number>());
  const put = useCallback((job: Job) => {
    known.current.add(job.id);
    setJobs((old) => mergeJobs(old ?? [], [job]));
  }, []);
  const load = useCallback(async (from: string | null, keepCursor: boolean) => {
    try {
      const page = await api.jobs(
        from === null ? { limit: kPageSize } : { limit: kPageSize, cursor: from },
      );
      page.items.forEach((job) => known.current.add(job.id));
      setJobs((old) => mergeJobs(old ?? [], page.items));
      if (!keepCursor) setCursor(page.next_cursor);
      setProblem(null);
    } catch (thrown) {
      setProblem(toProblem(thrown));
    }
  }, []);
  useEffect(() => {
    let timer: number | undefined;
    const stale = new Set<number>();
    const fetchStale = async () => {
      timer = undefined;
      const ids = [...stale];
      stale.clear();
      if (ids.length > 4) return load(null, true);
      const answers = await Promise.allSettled(ids.map((id) => api.job(id)));
      for (const answer of answers) if (answer.status === 'fulfilled') put(answer.value);
    };
    const onEvent = (event: JobEvent) => {
      setJobs((old) => old?.map((job) => applyEvent(job, event)) ?? null);
      if (event.type === 'progress' && known.current.has(event.job_id)) return;
      stale.add(event.job_id);
      timer ??= window.setTimeout(() => void fetchStale(), 150);
    };
    const stop = subscribe(onEvent, () => void load(null, true));
    void load(null, false);
    return () => {
      stop();
      window.clearTimeout(timer);
    };
  }, [load, put]);
  const loadMore = useCallback(() => {
    if (cursor !== null) void load(cursor, false);
  }, [cursor, load]);
  return { jobs, problem, more: cursor !== null, loadMore, put };
}
