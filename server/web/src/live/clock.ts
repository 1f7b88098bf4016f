import { signal } from '@preact/signals';

/** Now, in ms; moves every five seconds so that "2 min ago" stays true. */
export const now = signal(Date.now());

export function startClock(): void {
  window.setInterval(() => {
    now.value = Date.now();
  }, 5000);
}
