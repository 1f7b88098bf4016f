import { signal } from '@preact/signals';

// The access token of this tab. It comes in the address's fragment, which browsers do not send, or is
// pasted; it stays in the tab's session storage and goes out in the Authorization header only.

const kKey = 'crucible-token';
const kInFragment = /^#token=([A-Za-z0-9_]+)$/;

function stored(): string {
  try {
    return window.sessionStorage.getItem(kKey) ?? '';
  } catch {
    return ''; // storage is switched off: the token lasts until the page is left
  }
}

let token = '';

/** Set when the server asked for a token, or refused the one it got. */
export const refused = signal<'' | 'missing' | 'invalid'>('');
/** Rises with each new token, so that views ask again. */
export const tokenVersion = signal(0);

export function setToken(text: string): void {
  token = text.trim();
  try {
    if (token) window.sessionStorage.setItem(kKey, token);
    else window.sessionStorage.removeItem(kKey);
  } catch {
    // As above.
  }
  refused.value = '';
  tokenVersion.value += 1;
}

/** Takes the token out of the address, where there is one. Before the router looks at it. */
export function startToken(): void {
  token = stored();
  const found = kInFragment.exec(window.location.hash);
  if (!found?.[1]) return;
  setToken(found[1]);
  window.history.replaceState(null, '', '#/leaderboard');
}

export function authorization(): Record<string, string> {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Notes a 401. */
export function noteRefusal(): void {
  refused.value = token ? 'invalid' : 'missing';
}
