import axe from 'axe-core';
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { client, waitIdle } from './api.mjs';
import { slerp } from './board.mjs';
import { openBrowser } from './browser.mjs';
import { family, startDaemon } from './daemon.mjs';

// A daemon with the demo family, a merge of two of them and a merge of that merge, and a browser that is
// signed in. CRUCIBLE_URL and CRUCIBLE_TOKEN use a server that has merges already; SHOTS keeps pictures.

const kPatienceMs = 60_000; // machines that test are often busy

export const kScored = ['sums', 'words', 'feelings'];

const kSecond = `merge_method: ties
base_model: base
models:
  - model: slerp-first
    parameters:
      weight: 0.5
      density: 0.7
  - model: sums
    parameters: {weight: [0.2, 0.8], density: 0.6}
parameters:
  normalize: true
dtype: bfloat16
`;

async function fill(api, models) {
  for (const name of family) await api.post('/models', { path: `${models}/${name}`, name });
  for (const model of family) await api.post('/evaluations', { model, suites: kScored });
  await api.post('/merges', { recipe: slerp(0.4), suites: kScored, name: 'slerp-first' });
  await waitIdle(api);
  await api.post('/merges', { recipe: kSecond, suites: kScored, name: 'ties-second' });
  await waitIdle(api);
}

/** Violations of WCAG 2.2 AA that axe finds, a line each. */
async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }),
  );
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((n) => `${id}: ${n.target} ${n.html}`),
  );
}

export async function setScene() {
  const given = process.env.CRUCIBLE_URL;
  const daemon = given
    ? { url: given, token: process.env.CRUCIBLE_TOKEN ?? '', stop: async () => {} }
    : await startDaemon();
  const api = client(daemon.url, daemon.token);
  let browser;
  try {
    if (!given) await fill(api, daemon.models);
    browser = await openBrowser({ keepShots: true });
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  const open = async (hash, options) => {
    const page = await browser.newPage(options);
    page.setDefaultTimeout(kPatienceMs);
    await page.addInitScript((token) => {
      if (token) sessionStorage.setItem('crucible-token', token);
    }, daemon.token);
    await page.goto(`${daemon.url}/#/${hash}`);
    return page;
  };
  const shot = async (page, name) => {
    const folder = process.env.SHOTS;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  };
  const accessible = async (page) => assert.deepEqual(await violations(page), []);
  const close = async () => {
    await browser.close();
    await daemon.stop();
  };
  return { api, browser, url: daemon.url, token: daemon.token, open, shot, accessible, close };
}

/** A merged model whose parents are scored, and the one of them that was merged itself where there is one. */
export async function merges(api) {
  const { items } = await api.get('/models?limit=500');
  const merged = items.filter((model) => model.origin === 'merged');
  const deep = merged.find(({ parents }) => parents.some((p) => merged.some((m) => m.id === p.id)));
  const model = deep ?? merged[0];
  const other = deep
    ? merged.find((m) => deep.parents.some((p) => p.id === m.id))
    : merged.find((m) => m.id !== model.id);
  return { model, other, registered: items.filter((one) => one.origin === 'registered') };
}

/** Evaluations of a model, newest first, one a suite. */
export async function scoresOf(api, id) {
  const { items } = await api.get(`/evaluations?model=${id}&limit=500`);
  const latest = new Map();
  for (const one of items.toSorted((a, b) => b.id - a.id)) {
    if (!latest.has(one.suite)) latest.set(one.suite, one);
  }
  return latest;
}

/** Samples of an evaluation as the API has them. */
export async function samplesOf(url, token, id) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const text = await (await fetch(`${url}/api/v1/evaluations/${id}/samples`, { headers })).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

export const kSizes = [
  ['light', 390],
  ['light', 1280],
  ['light', 2200],
  ['dark', 390],
  ['dark', 1280],
  ['dark', 2200],
];

/** Opens the view in each size and both themes: nothing may stick out sideways, and axe has to agree. */
export async function inEverySize(scene, hash, name, ready) {
  for (const [colorScheme, width] of kSizes) {
    const page = await scene.open(hash, { colorScheme, viewport: { width, height: 900 } });
    await ready(page);
    const over = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    assert.ok(over <= 0, `${name} is ${over} px too wide at ${width}`);
    await scene.accessible(page);
    await scene.shot(page, `${name}-${width}-${colorScheme}`);
    await page.context().close();
  }
}
