import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { percent, until } from './support/board.mjs';
import { binary, haveDaemon } from './support/daemon.mjs';
import { inEverySize, merges, scoresOf, setScene } from './support/scene.mjs';

// The comparison of models, in headless Chromium, against what the API says.

const skip = process.env.CRUCIBLE_URL || haveDaemon ? false : `no daemon at ${binary}`;
const signed = (share) =>
  (share < 0 ? '\u2212' : share * 1000 >= 0.5 ? '+' : '') + Math.abs(share * 100).toFixed(1);

describe('compare', { skip, timeout: 600_000 }, () => {
  let scene;
  let api;
  let a; // merged
  let b; // merged, the reference
  let third; // registered
  let suites;

  before(async () => {
    scene = await setScene();
    api = scene.api;
    const found = await merges(api);
    [a, b, third] = [found.model, found.other, found.registered[0]];
    suites = [...(await scoresOf(api, a.id)).keys()].sort();
  });

  after(() => scene?.close());

  const address = (more = '') => `compare?models=${a.id},${b.id},${third.id}&ref=${b.id}${more}`;

  async function compared(page) {
    await page.locator('[data-testid=compare-pairs] .delta').first().waitFor();
    await until(async () => (await page.getByText('Comparing…').count()) === 0);
    await page.locator('[data-testid=item-detail]').waitFor();
  }

  test('ticked rows of the leaderboard lead to their comparison', async () => {
    const page = await scene.open('leaderboard');
    await page.getByLabel(`Compare ${a.name}`, { exact: true }).check();
    await page.getByText('1 model ticked').waitFor();
    assert.equal(await page.locator('.pick-bar a').count(), 0);
    await page.getByLabel(`Compare ${b.name}`, { exact: true }).check();
    assert.match(page.url(), new RegExp(`pick=${a.id}%2C${b.id}`));
    await page.reload();
    await page.getByRole('link', { name: 'Compare', exact: true }).click();
    await page.locator('[data-testid=compare-scores]').waitFor();
    assert.match(page.url(), new RegExp(`compare\\?models=${a.id},${b.id}`));
    await page.context().close();
  });

  test('scores, differences and verdicts are those of the API', async () => {
    const page = await scene.open(address());
    await compared(page);
    const own = await scoresOf(api, a.id);
    for (const suite of suites) {
      const cells = page.locator(`[data-testid=compare-scores] tr[data-suite="${suite}"] td`);
      const text = await cells.first().locator('.score-value').textContent();
      assert.equal(text, percent(own.get(suite).score));
      for (const model of [a, third]) {
        const said = await api.get(`/comparisons?a=${model.id}&b=${b.id}&suite=${suite}`);
        const row = page.locator(
          `[data-testid=compare-pairs] tr[data-suite="${suite}"][data-model="${model.id}"]`,
        );
        const { difference, interval, verdict, wins, losses, ties } = said.overall;
        assert.equal(await row.locator('.delta-value').textContent(), signed(difference));
        assert.equal(
          await row.locator('.delta-verdict').textContent(),
          `(${signed(interval.low)} to ${signed(interval.high)})`,
        );
        assert.ok((await row.locator('.verdict-cell').textContent()).includes(verdict));
        assert.ok((await row.textContent()).includes(`${wins} / ${losses} / ${ties}`));
      }
    }
    await page.context().close();
  });

  test('the reference is chosen, a model left out and added, all in the URL', async () => {
    const page = await scene.open(address());
    await compared(page);
    await page.locator(`input[name=reference][value="${third.id}"]`).check();
    await page.getByRole('heading', { name: `Against ${third.name}`, exact: true }).waitFor();
    await page.getByRole('button', { name: `Leave ${b.name} out` }).click();
    await until(async () => (await page.locator('.compare-chip').count()) === 2);
    assert.match(
      decodeURIComponent(page.url()),
      new RegExp(`models=${a.id},${third.id}&ref=${third.id}`),
    );
    await page.locator('select[name=add]').selectOption(String(b.id));
    await until(async () => (await page.locator('.compare-chip').count()) === 3);
    await page.reload();
    await compared(page);
    assert.equal(await page.locator('.compare-chip').count(), 3);
    assert.ok(await page.locator(`input[name=reference][value="${third.id}"]`).isChecked());
    await page.context().close();
  });

  test('wins and losses are listed one by one, filtered, searched and walked by keyboard', async () => {
    const said = await api.get(`/comparisons?a=${a.id}&b=${b.id}&suite=${suites[0]}`);
    const page = await scene.open(address());
    await compared(page);
    await page
      .locator(`tr[data-suite="${suites[0]}"][data-model="${a.id}"]`)
      .getByRole('button', { name: 'Items' })
      .click();
    await page.locator('#items [role=option]').first().waitFor();
    const { wins, losses, ties, items } = said.overall;
    for (const [name, count] of Object.entries({ Wins: wins, Losses: losses, Ties: ties })) {
      const chip = page.locator('#items .chip', { hasText: name });
      assert.equal(await chip.locator('.muted').textContent(), String(count));
    }
    const drawn = await page.locator('#items [role=option]').count();
    assert.ok(drawn < Math.min(items, 60), `${drawn} rows are drawn of ${items}`);
    await page.locator('#items .chip', { hasText: 'Losses' }).click();
    if (losses > 0) {
      await until(async () => (await page.locator('#items .badge-good').count()) <= 1);
      assert.match(await page.locator('#items [role=option]').first().textContent(), /loss/);
    }
    await page.locator('#items .chip', { hasText: 'All' }).click();
    const list = page.getByRole('listbox');
    await list.focus();
    await page.keyboard.press('End');
    const last = page.locator('#items [role=option][aria-selected=true]');
    await until(async () => (await last.getAttribute('aria-posinset')) === String(items));
    assert.equal(await list.getAttribute('aria-activedescendant'), await last.getAttribute('id'));
    const title = await page.locator('.item-title').textContent();
    await page.keyboard.press('ArrowUp');
    await until(async () => (await page.locator('.item-title').textContent()) !== title);
    await page.locator('input[name=items-q]').fill('no item says this');
    await page.getByText('No item passes the filters.').waitFor();
    await page.context().close();
  });

  test('recipes are set against each other in words and lines', async () => {
    const page = await scene.open(address(`&against=${a.id}`));
    await compared(page);
    const changes = await page.locator('[data-testid=recipe-changes] li').allTextContents();
    const [ours, theirs] = [a.merge_method, b.merge_method];
    if (ours !== theirs)
      assert.equal(changes[0], `Method is ${theirs} in ${b.name} and ${ours} in ${a.name}.`);
    const added = await page.locator('.diff-added code').allTextContents();
    const removed = await page.locator('.diff-removed code').allTextContents();
    if (ours !== theirs) {
      assert.ok(added.includes(`merge_method: ${ours}`));
      assert.ok(removed.includes(`merge_method: ${theirs}`));
    }
    const rows = page.locator('[data-testid=recipe-facts] tbody tr');
    const some = await rows.count();
    await page.locator('input[name=recipes][value=all]').check();
    await until(async () => (await rows.count()) > some);
    await page.context().close();
  });

  test('the radar has a table twin with the same models and suites', async () => {
    const page = await scene.open(address());
    await compared(page);
    const figure = page.locator('[data-testid=radar], [data-testid=dot-plot]');
    assert.equal(
      await figure.getAttribute('data-testid'),
      suites.length >= 3 ? 'radar' : 'dot-plot',
    );
    assert.equal(await figure.locator('svg[role=img] title').count(), 1);
    await figure.getByText('The chart as a table').click();
    assert.equal(await figure.locator('tbody tr').count(), suites.length);
    assert.equal(await figure.locator('thead th').count(), 4);
    await page.context().close();
  });

  test('too few models, an unknown one, and no answer are told', async () => {
    const before = scene.browser.faults.length;
    const page = await scene.open('compare');
    await page.getByText('Choose two to six models').waitFor();
    await page.goto(`${scene.url}/#/compare?models=${a.id},999999`);
    await page.getByText('There is no model 999999').waitFor();
    await page.getByRole('button', { name: 'Leave model 999999 out' }).click();
    await until(async () => (await page.locator('.problem').count()) === 0);
    await page.route('**/api/v1/models/*', (route) => route.abort());
    await page.goto(`${scene.url}/#/compare?models=${b.id},${third.id}`);
    await page.getByText('The daemon did not answer').first().waitFor();
    await page.unroute('**/api/v1/models/*');
    await page.getByRole('button', { name: 'Try again' }).first().click();
    await compared(page);
    // The browser itself reports failed requests in the console; that is no fault of the page.
    const own = scene.browser.faults.splice(before).filter((text) => !/Failed to load/.test(text));
    scene.browser.faults.push(...own);
    await page.context().close();
  });

  test('it fits phone, desk and wall, in light and dark', async () => {
    await inEverySize(scene, address(), 'compare', compared);
    await inEverySize(scene, 'compare', 'compare-empty', (page) =>
      page.getByText('Choose two to six models').waitFor(),
    );
  });

  test('nothing was reported in the console, and no policy violated', () => {
    assert.deepEqual(scene.browser.faults, []);
  });
});
