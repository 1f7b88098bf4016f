import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { client, waitIdle } from './support/api.mjs';
import { openBrowser } from './support/browser.mjs';
import { binary, haveDaemon, startDaemon } from './support/daemon.mjs';

// Names and texts of strangers stay text; pages of other sites neither read nor change anything.

const kEvents = [
  'onerror',
  'onload',
  'onclick',
  'onmouseover',
  'onfocus',
  'onanimationstart',
  'ontoggle',
];
const kTags = ['img src=x', 'svg', 'body', 'input autofocus', 'details open', 'video', 'iframe'];
const kCall = 'window.hostile=1';

/** Some fifty strings, none with a slash: names cannot have one. */
function hostileTexts() {
  const texts = kTags.flatMap((tag) => kEvents.map((event) => `<${tag} ${event}=${kCall}>`));
  return [
    ...texts.slice(0, 40),
    `<script>${kCall}`,
    `"><script>${kCall}`,
    `'-${kCall}-'`,
    `javascript:${kCall}`,
    `\${${kCall}}`,
    `{{${kCall}}}`,
    `<a href="javascript:${kCall}">x`,
    `<style>*{background:url(javascript:${kCall})}`,
    '&lt;b&gt;bold&#60;b>',
    '\u202Eevil\u202C',
    `<math><mi xlink:href="data:x,<script>${kCall}">`,
    '#token=cru_00000000_0',
  ];
}

describe(
  'hostile',
  { skip: haveDaemon ? false : `no daemon at ${binary}`, timeout: 300_000 },
  () => {
    let daemon;
    let api;
    let browser;
    const texts = hostileTexts();

    before(async () => {
      daemon = await startDaemon();
      api = client(daemon.url, daemon.token);
      for (const name of ['base', 'sums'])
        await api.post('/models', { path: `${daemon.models}/${name}`, name });
      for (const [i, text] of texts.entries())
        await api.post('/merges', {
          recipe: `# ${text}\nmerge_method: linear\nmodels:\n- {model: base, parameters: {weight: ${i + 1}}}\n- {model: sums, parameters: {weight: 1}}\n`,
          name: text,
          suites: ['sums'],
        });
      await waitIdle(api);
      browser = await openBrowser({
        keepShots: true,
        args: ['--host-resolver-rules=MAP *.example 127.0.0.1'],
      });
    });

    after(async () => {
      await browser?.close();
      await daemon?.stop();
    });

    async function open(hash) {
      const page = await browser.newPage();
      page.on('dialog', (dialog) => {
        browser.faults.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await page.addInitScript((token) => {
        sessionStorage.setItem('crucible-token', token);
      }, daemon.token);
      await page.goto(`${daemon.url}/#/${hash}`);
      await page.locator('h1').waitFor();
      return page;
    }

    test('names are shown as they are and run nothing', async () => {
      assert.ok(texts.length >= 50);
      const board = await open('leaderboard');
      await board.locator('tr[data-model]').first().waitFor();
      const shown = await board.locator('main').textContent();
      for (const text of texts) assert.ok(shown.includes(text), text);
      for (const view of ['queue', 'models', 'sweeps', 'submit']) {
        const page = await open(view);
        await page.waitForTimeout(300);
        assert.equal(await page.evaluate(() => window.hostile), undefined, view);
        await page.context().close();
      }
      const { items } = await api.get('/models?limit=500');
      for (const model of items.filter((item) => item.origin === 'merged').slice(0, 12)) {
        const page = await open(`models/${model.id}`);
        assert.ok((await page.locator('main').textContent()).includes(model.name), model.name);
        assert.equal(await page.evaluate(() => window.hostile), undefined, model.name);
        await page.context().close();
      }
      assert.equal(await board.evaluate(() => window.hostile), undefined);
      await board.context().close();
      assert.deepEqual(browser.faults, []);
    });

    // What a daemon would refuse to store comes to the page all the same, as if from another version of it.
    test('names, values, failures, errors and verdicts of a search are shown as they are and run nothing', async () => {
      const closing = `</script><img src=x onerror=${kCall}>`;
      const named = [...texts.slice(0, 6), ...texts.slice(40), closing];
      const candidate = (text, i) => ({
        name: i === 0 ? `parent ${text}` : text,
        trial: i === 0 ? null : i - 1,
        values: { [`parameters["${text}"]`]: text, [text]: [0.5, i] },
        recipe: `# ${text}`,
        model: i === 0 ? text : null,
        standing: i === 2 ? 'failed' : 'racing',
        seen: 32,
        estimate: 0.5,
        suites: [0.5, 0.4],
        failure: i === 2 ? closing : null,
      });
      const candidates = named.map(candidate);
      const score = { score: 0.5, low: 0.4, high: 0.6, items: 32 };
      const against = {
        difference: 0.1,
        low: 0,
        high: 0.2,
        probability_better: 0.9,
        wins: 1,
        losses: 0,
      };
      const result = {
        verdict: `It beats ${closing}`,
        winner: { ...candidates[1], tune: { score: 0.5, items: 32 }, report: score },
        references: named.map((text) => ({
          name: text,
          model: text,
          report: score,
          ...against,
          verdict: text,
        })),
        inflation: { expected: 0.01, gaussian: 0.01, candidates: 3 },
        race: {
          stopped: closing,
          evaluations: 9,
          exhaustive: 9,
          trials: 9,
          eliminated: 0,
          set_aside: 0,
          failed: 1,
        },
        cost: { items: 9, tokens: 9 },
      };
      const sweep = {
        id: 1,
        name: closing,
        state: 'failed',
        parameter: '',
        recipe: `# ${closing}`,
        suites: [closing, `"><script>${kCall}`],
        created_at: new Date().toISOString(),
        best_trial: null,
        trials: [],
        search: {
          document: `name: '${closing}'\nspace: {'${closing}': [0, 1]}\nsampler: {name: '${closing}'}\nobjectives: suites\n`,
          job_id: 1,
          job_state: 'failed',
          progress: { stage: closing, done: 1, total: 2, unit: closing },
          error: {
            code: 'internal',
            message: closing,
            errors: [{ path: closing, message: closing, suggestion: closing }],
          },
          trials: candidates.length - 1,
          racing: 1,
          evaluations: 9,
          seconds: 1,
          best: candidates[1],
          result,
        },
      };
      const open1 = async (hash) => {
        const page = await browser.newPage();
        const answer = (body) => (route) => route.fulfill({ json: body });
        await page.addInitScript((token) => {
          sessionStorage.setItem('crucible-token', token);
        }, daemon.token);
        await page.route('**/api/v1/sweeps', answer({ items: [sweep], next_cursor: null }));
        await page.route('**/api/v1/sweeps/1', answer(sweep));
        await page.route(
          '**/api/v1/sweeps/1/trials?*',
          answer({ items: candidates, next_cursor: null }),
        );
        await page.goto(`${daemon.url}/#/${hash}`);
        return page;
      };
      const page = await open1(`sweeps/1?trial=${encodeURIComponent(candidates[2].name)}`);
      await page.locator('[data-testid=candidates] tbody th').first().waitFor();
      await page.locator('[data-testid=failure]').waitFor();
      for (const summary of await page.locator('summary').all()) await summary.click();
      const shown = await page.locator('main').textContent();
      for (const text of [...named, result.verdict, sweep.search.error.message])
        assert.ok(shown.includes(text), text);
      assert.equal(await page.locator('main img, main script, main iframe').count(), 0);
      assert.equal(await page.evaluate(() => window.hostile), undefined);
      const list = await open1('sweeps');
      await list.locator('tr[data-sweep]').waitFor();
      assert.ok((await list.locator('main').textContent()).includes(closing));
      assert.equal(await list.evaluate(() => window.hostile), undefined);
      assert.deepEqual(browser.faults, []);
      await page.context().close();
      await list.context().close();
    });

    // localhost is another site than 127.0.0.1; another port of 127.0.0.1 is the same site, another origin.
    for (const name of ['localhost', '127.0.0.1'])
      test(`a page of another origin on ${name} reads and changes nothing`, async () => {
        const site = createServer((request, response) => {
          response.setHeader('Content-Type', 'text/html');
          response.end('<h1>another site</h1>');
        });
        await new Promise((done) => site.listen(0, '127.0.0.1', done));
        try {
          const page = await browser.newPage();
          await page.goto(`http://${name}:${site.address().port}/`);
          const tried = await page.evaluate(
            async ({ url, token }) => {
              const results = [];
              const attempt = async (path, init) => {
                try {
                  const answer = await fetch(url + path, init);
                  results.push(
                    `${init.mode ?? 'cors'} ${answer.type} ${(await answer.text()).length}`,
                  );
                } catch (error) {
                  results.push(`refused: ${error.name}`);
                }
              };
              const headers = { Authorization: `Bearer ${token}` };
              await attempt('/api/v1/jobs', { headers });
              await attempt('/api/v1/jobs', {});
              await attempt('/openapi.json', {});
              await attempt('/api/v1/queue/pause', { method: 'POST', body: '{}', mode: 'no-cors' });
              await attempt('/api/v1/queue/pause', {
                method: 'POST',
                body: '{}',
                headers: { ...headers, 'Content-Type': 'application/json' },
              });
              const form = document.createElement('form');
              form.method = 'post';
              form.action = `${url}/api/v1/queue/pause`;
              form.target = 'frame';
              const frame = document.createElement('iframe');
              frame.name = 'frame';
              document.body.append(frame, form);
              form.submit();
              await new Promise((done) => setTimeout(done, 500));
              return results;
            },
            { url: daemon.url, token: daemon.token },
          );
          assert.equal(tried.length, 5);
          // A request without CORS may be sent, but its answer is opaque and it changed nothing.
          for (const result of tried)
            assert.match(result, /^refused: TypeError$|^no-cors opaque 0$/);
          assert.deepEqual((await api.get('/queue')).pauses, []);
          await page.context().close();
        } finally {
          site.close();
        }
      });

    test('a name that was bound to this machine later is not answered', async () => {
      const { port } = new URL(daemon.url);
      for (const host of ['evil.example', 'localhost.evil.example']) {
        const page = await browser.newPage();
        const answer = await page.goto(`http://${host}:${port}/`);
        assert.equal(answer.status(), 421, host);
        const read = await page.evaluate(async (token) => {
          const headers = { Authorization: `Bearer ${token}` };
          const jobs = await fetch('/api/v1/jobs', { headers });
          const pause = await fetch('/api/v1/queue/pause', {
            method: 'POST',
            body: '{}',
            headers: { ...headers, 'Content-Type': 'application/json' },
          });
          return [jobs.status, pause.status];
        }, daemon.token);
        assert.deepEqual(read, [421, 421], host);
        await page.context().close();
      }
      assert.deepEqual((await api.get('/queue')).pauses, []);
    });
  },
);
