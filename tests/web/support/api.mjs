// A small client of the daemon's API, to set the scene and to compare the page with.

export function client(base, token) {
  const call = async (path, init) => {
    const headers = { Authorization: `Bearer ${token}`, ...init?.headers };
    const response = await fetch(`${base}/api/v1${path}`, { ...init, headers });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`${init?.method ?? 'GET'} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  const post = (path, body) =>
    call(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  return { get: (path) => call(path), post };
}

const kFinal = new Set(['succeeded', 'failed', 'dead', 'cancelled']);

/** Waits until no job is left to do; fails when one did not succeed. */
export async function waitIdle(api, limitMs = 180_000) {
  for (const end = Date.now() + limitMs; Date.now() < end;) {
    const { items } = await api.get('/jobs?limit=200');
    const bad = items.find((job) => ['failed', 'dead'].includes(job.state));
    if (bad)
      throw new Error(`job ${bad.id} (${bad.name}) is ${bad.state}: ${JSON.stringify(bad.error)}`);
    if (items.every((job) => kFinal.has(job.state))) return items;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`jobs are not done after ${limitMs} ms`);
}
