import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { client, waitIdle } from './support/api.mjs';
import { kPhone, openBrowser } from './support/browser.mjs';
import { boardRows, kFaulty, percent, scoreText, slerp, until } from './support/board.mjs';
import { binary, family, haveDaemon, startDaemon } from './support/daemon.mjs';

// The page of a real daemon with the demo family, in headless Chromium. CRUCIBLE_URL uses a server that
// runs already and knows the family, with CRUCIBLE_TOKEN; without it and without a binary there is nothing to test.

const kGiven = process.env.CRUCIBLE_URL;
const kSuites = ['sums', 'words', 'feelings'];

const skip = kGiven || haveDaemon ? false : `no daemon at ${binary}`;

describe('page', { skip, timeout: 600_000 }, () => {
  let daemon;
  let api;
  let browser;
  let sweepId;
  let url;

  before(async () => {
    daemon = kGiven
      ? { url: kGiven, token: process.env.CRUCIBLE_TOKEN, stop: async () => {} }
      : await startDaemon();
    url = daemon.url;
    api = client(url, daemon.token);
    if (!kGiven) {
      for (const name of family)
        await api.post('/models', { path: `${daemon.models}/${name}`, name });
      for (const model of family) await api.post('/evaluations', { model, suites: kSuites });
      await api.post('/merges', { recipe: slerp(0.4), suites: kSuites, name: 'slerp-first' });
    }
    const sweep = await api.post('/sweeps', {
      recipe: slerp(0.5),
      parameter: 'parameters.t',
      values: [0.2, 0.5, 0.8],
      suites: kSuites,
      name: 'slerp-sweep',
    });
    sweepId = sweep.id;
    const done = async () => (await api.get(`/sweeps/${sweepId}`)).state === 'succeeded';
    if (kGiven) await until(done, 120_000);
    else await waitIdle(api);
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await daemon?.stop();
  });

  async function signedIn(options) {
    const page = await browser.newPage(options);
    await page.addInitScript((token) => {
      sessionStorage.setItem('crucible-token', token);
    }, daemon.token);
    return page;
  }

  async function open(hash, options) {
    const page = await signedIn(options);
    await page.goto(`${url}/#/${hash}`);
    await page.locator('h1').waitFor();
    return page;
  }

  test('a token is asked for, taken from the address or a field, and kept out of the address', async () => {
    const before = browser.faults.length;
    const page = await browser.newPage();
    await page.goto(`${url}/`);
    await page.locator('#token').fill('cru_00000000_' + '0'.repeat(64));
    await page.getByRole('button', { name: 'Use this token' }).click();
    await page.getByText('was not accepted').waitFor();
    await browser.shot(page, 'sign-in');
    await page.locator('#token').fill(daemon.token);
    await page.getByRole('button', { name: 'Use this token' }).click();
    await page.locator('tr[data-model]').first().waitFor();
    const linked = await browser.newPage();
    await linked.goto(`${url}/#token=${daemon.token}`);
    await linked.locator('tr[data-model]').first().waitFor();
    assert.equal(linked.url(), `${url}/#/leaderboard`);
    await linked.reload();
    await linked.locator('tr[data-model]').first().waitFor();
    // The browser itself reports each 401 in the console; that is no fault of the page.
    const own = browser.faults.splice(before).filter((text) => !/status of 401/.test(text));
    browser.faults.push(...own);
    await page.context().close();
    await linked.context().close();
  });

  test('the leaderboard shows what the API says', async () => {
    const page = await open('leaderboard');
    await page.locator('tr[data-model]').first().waitFor();
    const board = await api.get('/leaderboard');
    const shown = await boardRows(page);
    assert.equal(shown.length, board.rows.length);
    board.rows.forEach((row, i) => {
      assert.equal(shown[i].name, row.model.name);
      assert.equal(shown[i].rank, String(row.rank));
      assert.equal(shown[i].parent, row.is_parent);
      assert.equal(shown[i].cells.mean, scoreText(row.mean));
      for (const suite of board.suites) {
        assert.equal(
          shown[i].cells[suite],
          scoreText(row.scores[suite]),
          `${row.model.name} ${suite}`,
        );
      }
    });
    assert.ok(shown.some((row) => row.parent && row.name === 'words'));
    assert.ok(shown.some((row) => !row.parent && row.name === 'sums') || kGiven);
    await browser.shot(page, 'leaderboard-light');
    await page.context().close();
  });

  test('a header sorts, a second click turns, the URL keeps it', async () => {
    const page = await open('leaderboard');
    const header = page.locator('thead th', { has: page.getByRole('button', { name: 'words' }) });
    await header.getByRole('button').click();
    await page.waitForFunction(() => location.hash.includes('sort=words'));
    assert.equal(await header.getAttribute('aria-sort'), 'descending');
    const values = async () =>
      (await boardRows(page))
        .map((row) => Number.parseFloat(row.cells.words))
        .filter((value) => !Number.isNaN(value));
    const sorted = async (sign) => {
      const got = await values();
      return got.every((value, i) => i === 0 || (got[i - 1] - value) * sign >= 0);
    };
    await until(() => sorted(1));
    await header.getByRole('button').click();
    assert.equal(await header.getAttribute('aria-sort'), 'ascending');
    await until(() => sorted(-1));
    await page.reload();
    await page.locator('tr[data-model]').first().waitFor();
    assert.equal(await header.getAttribute('aria-sort'), 'ascending');
    assert.equal(await sorted(-1), true);
    await page.context().close();
  });

  test('filters by method and text, hides a suite', async () => {
    const page = await open('leaderboard');
    const board = await api.get('/leaderboard');
    const named = (rows) =>
      rows
        .map((row) => row.name ?? row.model.name)
        .sort()
        .join();
    await page.locator('select[name=method]').selectOption('none');
    await until(async () => named(await boardRows(page)) === [...family].sort().join());
    await page.locator('select[name=method]').selectOption('slerp');
    const merges = board.rows.filter((row) => row.merge_method === 'slerp');
    assert.ok(merges.length > 0);
    await until(async () => named(await boardRows(page)) === named(merges));
    await page.locator('input[name=q]').fill('no such model');
    await page.getByText('No model matches the filters').waitFor();
    await page.locator('input[name=q]').fill('');
    await page.getByLabel('sums', { exact: true }).uncheck();
    await until(async () => !('sums' in (await boardRows(page))[0].cells));
    assert.match(page.url(), /suites=/);
    await page.context().close();
  });

  test('pointing at a merge lights its parents', async () => {
    const page = await open('leaderboard');
    const board = await api.get('/leaderboard');
    const merge = board.rows.find((row) => row.parents.length > 0);
    await page.locator(`tr[data-model="${merge.model.id}"]`).hover();
    const lit = await page
      .locator('tr.is-lit')
      .evaluateAll((rows) => rows.map((row) => Number(row.dataset.model)));
    assert.deepEqual(lit.sort(), merge.parents.map((parent) => parent.id).sort());
    await page.locator(`tr[data-model="${merge.model.id}"] .disclose`).click();
    await page.locator('.detail .code-block').waitFor();
    assert.match(await page.locator('.detail .code-block').textContent(), /merge_method: /);
    await page.locator('.detail table.plain tbody tr').first().waitFor();
    await browser.shot(page, 'leaderboard-open');
    await page.context().close();
  });

  test('a check shows each fault at its line', async () => {
    const page = await open('submit');
    await page.locator('#recipe').fill(kFaulty);
    await page.getByRole('button', { name: 'Check' }).click();
    const fault = page.locator('.fault', { hasText: 'models[1].parameters.wieght' });
    await fault.waitFor();
    assert.equal(await fault.getByRole('button').textContent(), 'line 9');
    const marked = await page
      .locator('.editor-line.is-bad')
      .evaluateAll((lines) => lines.map((line) => Number(line.dataset.line)));
    assert.ok(marked.includes(9), `marked: ${marked}`);
    assert.ok((await fault.locator('.fault-message').textContent()).length > 0);
    await browser.shot(page, 'submit-faults');
    await fault.getByRole('button').click();
    const selected = await page
      .locator('#recipe')
      .evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
    assert.equal(selected.trim(), 'wieght: 0.5');
    await page.locator('#recipe').fill(kFaulty.replace('wieght', 'weight'));
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('Nothing stands in the way').waitFor();
    assert.equal(await page.locator('.editor-line.is-bad').count(), 0);
    await browser.shot(page, 'submit-checked');
    await page.context().close();
  });

  test('a submission passes through the queue to a new row', async () => {
    const page = await open('submit');
    await page.getByRole('button', { name: 'slerp', exact: true }).click();
    assert.match(await page.locator('#recipe').inputValue(), /merge_method: slerp/);
    const name = `from-the-page-${Date.now() % 100000}`;
    await page.locator('#recipe').fill(slerp(0.65));
    await page.locator('input[name=name]').fill(name);
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.waitForFunction(() => location.hash.startsWith('#/queue'));
    const row = page.locator('tr[data-job]', { hasText: name }).last();
    await row.waitFor();
    await browser.shot(page, 'queue-active');
    await page
      .locator('[data-group=finished] tr[data-job]', { hasText: name })
      .first()
      .waitFor({ timeout: 120_000 });
    await until(
      async () =>
        (await page.locator('[data-group=finished] tr[data-job]', { hasText: name }).count()) ===
        1 + (await evaluationsOf(name)),
      120_000,
    );
    assert.equal(
      await page.locator('tr[data-job][data-state=succeeded]', { hasText: name }).count(),
      1 + (await evaluationsOf(name)),
    );
    await page
      .locator('[data-group=finished] tr[data-job]', { hasText: name })
      .last()
      .locator('.disclose')
      .click();
    await page.locator('.log').waitFor();
    assert.ok((await page.locator('.log').textContent()).trim().length > 0);
    await browser.shot(page, 'queue-finished');
    await page.goto(`${url}/#/leaderboard`);
    const fresh = page.locator('tr[data-model]', { hasText: name });
    await fresh.waitFor();
    const board = await api.get('/leaderboard');
    const expected = board.rows.find((r) => r.model.name === name);
    const shown = (await boardRows(page)).find((r) => r.name === name);
    assert.equal(shown.cells.mean, scoreText(expected.mean));
    await page.context().close();
  });

  async function evaluationsOf(name) {
    const { items } = await api.get('/jobs?limit=200');
    return (
      items.filter((job) => job.kind === 'evaluation' && job.name === name).length ||
      Number.POSITIVE_INFINITY
    );
  }

  test("a sweep's curve has a point with an error bar for each trial", async () => {
    const sweep = await api.get(`/sweeps/${sweepId}`);
    const page = await open(`sweeps/${sweepId}`);
    const mean = page.locator('[data-series=mean]');
    await mean.locator('.point').first().waitFor();
    assert.equal(await mean.locator('.point').count(), sweep.trials.length);
    assert.equal(await mean.locator('.error-bar').count(), sweep.trials.length);
    assert.equal(await mean.locator(`[data-trial="${sweep.best_trial}"] .best-ring`).count(), 1);
    await page.locator('.level').waitFor();
    assert.equal(await page.locator('[data-testid=trials] tbody tr').count(), sweep.trials.length);
    for (const suite of kSuites) await page.getByLabel(suite, { exact: true }).check();
    assert.equal(await page.locator('.point').count(), sweep.trials.length * (1 + kSuites.length));
    await mean.locator('[data-trial="0"]').focus();
    const readOut = await page.locator('[data-testid=read-out]').textContent();
    assert.ok(readOut.includes(percent(sweep.trials[0].mean.value)), readOut);
    await browser.shot(page, 'sweep-all-lines');
    await page.context().close();
  });

  test('every view in dark and at phone width stays inside its width', async () => {
    const board = await api.get('/leaderboard');
    const views = [
      'leaderboard',
      'queue',
      'submit',
      'sweeps',
      `sweeps/${sweepId}`,
      'models',
      `models/${board.rows[0].model.id}`,
    ];
    for (const [name, options] of [
      ['dark', { colorScheme: 'dark' }],
      ['phone', { viewport: kPhone }],
    ]) {
      for (const view of views) {
        const page = await open(view, options);
        await page.waitForLoadState('load');
        await until(async () => (await page.locator('.loading').count()) === 0);
        const over = await page.evaluate(
          () => document.documentElement.scrollWidth - window.innerWidth,
        );
        assert.ok(over <= 0, `${view} is ${over} px too wide (${name})`);
        await browser.shot(page, `${name}-${view.replace('/', '-')}`);
        await page.context().close();
      }
    }
  });

  test('an unknown model is a shown problem, not a broken page', async () => {
    const before = browser.faults.length;
    const page = await signedIn();
    await page.goto(`${url}/#/models/999999`);
    await page.locator('.problem[role=alert]').waitFor();
    assert.match(await page.locator('.problem').textContent(), /404/);
    // The browser itself reports the 404 in the console; that is no fault of the page.
    const own = browser.faults.splice(before).filter((text) => !/status of 404/.test(text));
    browser.faults.push(...own);
    await page.context().close();
  });

  test('nothing was reported in the console, and no policy violated', () => {
    const faults = browser.faults.filter((text) => !/status of 422/.test(text)); // the faulty recipe's check
    assert.deepEqual(faults, []);
  });
});
