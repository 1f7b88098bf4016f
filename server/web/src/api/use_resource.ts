import { useCallback, useEffect, useState } from 'preact/hooks';
import { toProblem } from './problem';
import type { Problem } from './types';

export interface Resource<T> {
  data: T | null; // kept while a reload runs, and after one that failed
  problem: Problem | null;
  loading: boolean;
  reload: () => void;
}

interface State<T> {
  data: T | null;
  problem: Problem | null;
  loading: boolean;
}

/** Loads when `key` changes or reload() is called; a superseded answer is dropped. */
export function useResource<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
): Resource<T> {
  const [state, setState] = useState<State<T>>({ data: null, problem: null, loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setState((old) => ({ ...old, loading: true }));
    load(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ data, problem: null, loading: false });
      },
      (thrown: unknown) => {
        if (abort.signal.aborted) return;
        setState((old) => ({ data: old.data, problem: toProblem(thrown), loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, round]);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  return { ...state, reload };
}
