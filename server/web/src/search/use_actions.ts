import { useCallback, useState } from 'preact/hooks';
import { api } from '../api/client';
import { toProblem } from '../api/problem';
import type { Problem, Sweep, SweepBudget } from '../api/types';
import { navigate } from '../route/router';
import type { Action } from './actions';

export interface SearchActions {
  busy: boolean;
  problem: Problem | null;
  extending: boolean; // the form for a larger budget is open
  act: (action: Action) => void;
  extend: (budget: SweepBudget) => void;
  fork: (trial: number) => void;
  closeForm: () => void;
}

/** What the buttons do; after each, whatever came of it, the search is asked for again. */
export function useActions(id: number, reload: () => void): SearchActions {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [extending, setExtending] = useState(false);
  const run = useCallback(
    async (call: () => Promise<Sweep>): Promise<Sweep | null> => {
      setBusy(true);
      setProblem(null);
      try {
        return await call();
      } catch (thrown) {
        setProblem(toProblem(thrown));
        return null;
      } finally {
        setBusy(false);
        reload();
      }
    },
    [reload],
  );
  const act = useCallback(
    (action: Action) => {
      if (action === 'extend') setExtending(true);
      else if (action === 'pause') void run(() => api.pauseSweep(id));
      else if (action === 'resume') void run(() => api.resumeSweep(id));
      else void run(() => api.cancelSweep(id));
    },
    [id, run],
  );
  const extend = useCallback(
    async (budget: SweepBudget) => {
      if (await run(() => api.resumeSweep(id, budget))) setExtending(false);
    },
    [id, run],
  );
  const fork = useCallback(
    async (trial: number) => {
      const made = await run(() => api.forkSweep(id, trial));
      if (made) navigate(`#/sweeps/${made.id}`);
    },
    [id, run],
  );
  const closeForm = useCallback(() => setExtending(false), []);
  return {
    busy,
    problem,
    extending,
    act,
    extend: (budget) => void extend(budget),
    fork: useCallback((trial: number) => void fork(trial), [fork]),
    closeForm,
  };
}
