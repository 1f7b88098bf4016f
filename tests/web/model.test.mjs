import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from './support/board.mjs';
import { binary, haveDaemon } from './support/daemon.mjs';
import { inEverySize, merges, samplesOf, scoresOf, setScene } from './support/scene.mjs';

// A model's page, in headless Chromium, against what the API says.

const skip = process.env.CRUCIBLE_URL || haveDaemon ? false : `no daemon at ${binary}`;

describe('model', { skip, timeout: 600_000 }, () => {
  let scene;
  let api;
  let model; // merged
  let registered;
  let scores; // newest evaluation by suite

  before(async () => {
    scene = await setScene();
    api = scene.api;
    ({ model, registered } = await merges(api));
    scores = await scoresOf(api, model.id);
  });

  after(() => scene?.close());

  async function loaded(page) {
    await page.locator('[data-testid=item-detail]').waitFor();
    await page.locator('[data-node], #lineage-title').first().waitFor();
    await until(async () => (await page.locator('.loading').count()) === 0);
    await until(async () => (await page.getByText('Comparing…').count()) === 0);
  }

  async function ancestors(id, known = new Set()) {
    if (known.has(id)) return known;
    known.add(id);
    const { parents } = await api.get(`/models/${id}`);
    for (const parent of parents) await ancestors(parent.id, known);
    return known;
  }

  test('the lineage has every ancestor, in the graph and in the list', async () => {
    const page = await scene.open(`models/${model.id}`);
    await loaded(page);
    const all = await ancestors(model.id);
    const drawn = await page
      .locator('[data-node]')
      .evaluateAll((nodes) => nodes.map((node) => Number(node.dataset.node)));
    assert.deepEqual(drawn.sort(), [...all].sort());
    await page.getByText('The graph as a list').click();
    assert.equal(await page.locator('[data-testid=lineage-list] > li').count(), all.size);
    await page.locator(`[data-node="${model.parents[0].id}"]`).focus();
    await page.keyboard.press('Enter');
    await page
      .getByRole('heading', { name: model.parents[0].name, exact: true, level: 1 })
      .waitFor();
    await page.context().close();
  });

  test('the recipe is told in words and shown as text, and a variation starts from it', async () => {
    const page = await scene.open(`models/${model.id}`);
    await loaded(page);
    const facts = page.locator('[data-testid=recipe-facts] tbody tr');
    const method = facts.filter({ has: page.getByText('Method', { exact: true }) }).first();
    assert.ok((await method.textContent()).endsWith(model.merge_method));
    const text = await page.locator('section:has(#recipe-title) pre').textContent();
    assert.match(text, new RegExp(`merge_method: ${model.merge_method}`));
    await page.getByRole('button', { name: 'Make a variation' }).click();
    await page.locator('#recipe').waitFor();
    assert.equal(await page.locator('#recipe').inputValue(), text);
    await page.context().close();
  });

  test('scores against each parent carry the verdict of the comparison', async () => {
    const page = await scene.open(`models/${model.id}`);
    await loaded(page);
    const suite = [...scores.keys()].sort()[0];
    const parent = model.parents[0];
    const said = await api.get(`/comparisons?a=${model.id}&b=${parent.id}&suite=${suite}`);
    const row = page.locator(
      `[data-testid=parent-scores] tr[data-suite="${suite}"][data-parent="${parent.id}"]`,
    );
    assert.ok((await row.locator('.verdict-cell').textContent()).includes(said.overall.verdict));
    assert.match(await row.locator('.delta-verdict').textContent(), /^\(.* to .*\)$/);
    assert.equal(
      await page.locator('[data-testid=parent-scores] tbody tr').count(),
      scores.size * model.parents.length,
    );
    await page.context().close();
  });

  test('items: right and wrong as the API has them, log-likelihoods, a download', async () => {
    const page = await scene.open(`models/${model.id}?suite=${[...scores.keys()][0]}`);
    await loaded(page);
    const { id } = scores.get([...scores.keys()][0]);
    const lines = await samplesOf(scene.url, scene.token, id);
    const value = (line) => line.value ?? line.crucible?.value;
    const right = lines.filter((line) => value(line) === 1).length;
    const chip = page.locator('.chip', { hasText: 'Right' });
    assert.equal(await chip.locator('.muted').textContent(), String(right));
    await page.locator('.chip', { hasText: 'Wrong' }).click();
    await page.getByText(`${lines.length - right} of ${lines.length} items`).waitFor();
    assert.match(page.url(), /show=wrong/);
    const detail = page.locator('[data-testid=item-detail]');
    assert.ok((await detail.locator('.choices-table tbody tr').count()) > 1);
    assert.equal(await detail.getByText('right answer').count(), 1);
    assert.equal(await detail.getByText('chosen', { exact: true }).count(), 1);
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('section:has(#items-title) button', { hasText: 'Download' }).click(),
    ]);
    assert.match(file.suggestedFilename(), /^samples_.*\.jsonl$/);
    await page.context().close();
  });

  test('what evaluating took, the digest and the log are there', async () => {
    const page = await scene.open(`models/${model.id}`);
    await loaded(page);
    assert.equal(await page.locator(`code[title="${model.digest}"]`).count(), 1);
    const some = [...scores.values()][0];
    const row = page.locator('[data-testid=cost] tbody tr', { hasText: some.suite }).first();
    assert.ok((await row.textContent()).includes(String(some.items)));
    await page.getByText('Log of the merge').click();
    await until(async () => (await page.locator('.merge-log pre').textContent()).length > 0);
    await page.context().close();
  });

  test('a registered model says so, and leads to a comparison', async () => {
    const page = await scene.open(`models/${registered[0].id}`);
    await loaded(page);
    await page.getByText('what it was made from is not known here').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Make a variation' }).count(), 0);
    await page.getByRole('link', { name: 'Compare', exact: true }).click();
    await page.waitForFunction(() => location.hash.startsWith('#/compare?models='));
    await page.context().close();
  });

  test('items that do not come are a shown problem with a way to try again', async () => {
    const before = scene.browser.faults.length;
    const page = await scene.open('models');
    await page.route('**/samples', (route) => route.abort());
    await page.goto(`${scene.url}/#/models/${model.id}`);
    const section = page.locator('section:has(#items-title)');
    await section.locator('.problem').waitFor();
    await page.unroute('**/samples');
    await section.getByRole('button', { name: 'Try again' }).click();
    await page.locator('[data-testid=item-detail]').waitFor();
    const own = scene.browser.faults.splice(before).filter((text) => !/Failed to load/.test(text));
    scene.browser.faults.push(...own);
    await page.context().close();
  });

  test('it fits phone, desk and wall, in light and dark', async () => {
    await inEverySize(scene, `models/${model.id}`, 'model', loaded);
  });

  test('nothing was reported in the console, and no policy violated', () => {
    assert.deepEqual(scene.browser.faults, []);
  });
});
