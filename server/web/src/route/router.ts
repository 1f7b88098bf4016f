import { signal } from '@preact/signals';

/** Where the page is, from the fragment: `#/sweeps/3?show=mean` → path [sweeps, 3], query show=mean. */
export interface Route {
  path: string[];
  query: URLSearchParams;
}

export function parseHash(hash: string): Route {
  const text = hash.replace(/^#\/?/, '');
  const mark = text.indexOf('?');
  const path = (mark < 0 ? text : text.slice(0, mark)).split('/').filter((part) => part !== '');
  return { path, query: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)) };
}

export function hashOf(path: string[], query: URLSearchParams): string {
  const text = query.toString();
  return `#/${path.join('/')}${text ? `?${text}` : ''}`;
}

export const route = signal<Route>(parseHash(typeof location === 'undefined' ? '' : location.hash));

export function startRouter(): void {
  route.value = parseHash(location.hash); // a token may have been taken out of it since
  window.addEventListener('hashchange', () => {
    route.value = parseHash(location.hash);
  });
}

export function navigate(hash: string): void {
  location.hash = hash;
}

/** Changes query parameters in place, without a step in the history; null or '' removes one. */
export function setQuery(changes: Record<string, string | null>): void {
  const { path, query } = route.value;
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  history.replaceState(null, '', hashOf(path, next));
  route.value = { path, query: next };
}
