import { useEffect, useRef } from 'preact/hooks';
import type { JobEvent } from '../api/types';
import { subscribe } from './events';

/** Calls `reload` soon after a job event that `matters`, several events together, and on polling ticks. */
export function useRefresh(reload: () => void, matters: (event: JobEvent) => boolean): void {
  const latest = useRef({ reload, matters });
  latest.current = { reload, matters };
  useEffect(() => {
    let timer: number | undefined;
    const soon = () => {
      timer ??= window.setTimeout(() => {
        timer = undefined;
        latest.current.reload();
      }, 300);
    };
    const stop = subscribe((event) => {
      if (latest.current.matters(event)) soon();
    }, soon);
    return () => {
      stop();
      window.clearTimeout(timer);
    };
  }, []);
}
