import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  faultsOf,
  jobAnswer,
  leaderboard,
  modelAnswer,
  preflightAnswer,
  problem,
  suitesAnswer,
  sweepAnswer,
} from './answers.mjs';
import { kMethods } from './data.mjs';
import { comparisonOf, samplesText } from './items.mjs';
import { Searches } from './search_world.mjs';
import { World } from './world.mjs';

// Serves the contract's API from memory, and dist/ under the daemon's Content-Security-Policy.
// PORT (8090) chooses the port, STEP_MS (400) how fast jobs advance.

const kDist = fileURLToPath(new URL('../dist', import.meta.url));
const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";
const kTypes = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const world = new World();
const searches = new Searches(world);
const answerOf = (sweep) => (sweep.search ? searches.answer(sweep) : sweepAnswer(world, sweep));

const list = (items) => ({ status: 200, body: { items, next_cursor: null } });
const ok = (body, status = 200) => ({ status, body });
const missing = () => problem(404, 'Not Found', 'not_found', [], 'there is no such thing');

function merges(path, body) {
  const faults = faultsOf(world, body.recipe);
  if (faults.length > 0)
    return problem(
      422,
      'Unprocessable Content',
      'invalid_argument',
      faults,
      `the recipe has ${faults.length} faults`,
    );
  if (path === '/merges/preflight') return ok(preflightAnswer(body.recipe));
  return ok(jobAnswer(world.submitMerge(body), true), 202);
}

function jobs(method, id, verb) {
  const job = world.jobs.find((j) => j.id === Number(id));
  if (!job) return missing();
  if (verb === 'log') return { status: 200, text: world.logs.get(job.id) ?? '' };
  if (method === 'POST' && verb === 'cancel') {
    job.state = 'cancelled';
    job.finished_at = new Date().toISOString();
    world.note(job, 'state', 'cancelled by request');
  }
  if (method === 'POST' && verb === 'retry') {
    Object.assign(job, { state: 'queued', finished_at: null, error: null });
    world.note(job, 'state', 'queued again');
  }
  return ok(jobAnswer(job, true));
}

function models(method, id, verb, body) {
  if (method === 'POST') {
    const name = body.name || body.path.split('/').pop();
    if (world.models.some((m) => m.name === name))
      return problem(409, 'Conflict', 'conflict', [], `${name} is registered already`);
    return ok(
      modelAnswer(
        world.addModel({
          name,
          origin: 'registered',
          scores: { feelings: 0.5, sums: 0.2, words: 0.5 },
        }),
      ),
      201,
    );
  }
  if (!id) return list(world.models.map(modelAnswer));
  const model = world.models.find((m) => String(m.id) === id || m.name === id);
  if (!model) return missing();
  return verb === 'recipe' ? { status: 200, text: model.recipe ?? '' } : ok(modelAnswer(model));
}

function samples(id) {
  const evaluation = world.evaluations.find((e) => e.id === Number(id));
  return evaluation ? { status: 200, text: samplesText(evaluation) } : missing();
}

function comparison(query) {
  const [a, b] = ['a', 'b'].map((name) =>
    world.evaluations.findLast(
      (e) =>
        [String(e.model.id), e.model.name].includes(query.get(name)) &&
        e.suite === query.get('suite'),
    ),
  );
  return a && b ? ok(comparisonOf(a, b)) : missing();
}

function evaluations(method, query, body) {
  if (method === 'POST') {
    const model = world.models.find((m) => m.name === body.model || m.id === Number(body.model));
    return model
      ? ok({ items: world.submitEvaluation(model, body.suites).map((j) => jobAnswer(j)) }, 202)
      : missing();
  }
  const id = Number(query.get('model'));
  return list(world.evaluations.filter((e) => !id || e.model.id === id));
}

function sweeps(method, id, verb, body, query) {
  if (method === 'POST' && !id) return ok(sweepAnswer(world, world.submitSweep(body)), 202);
  if (!id) return list(world.sweeps.map(answerOf).reverse());
  const sweep = world.sweeps.find((s) => s.id === Number(id));
  if (!sweep) return missing();
  if (sweep.search && verb === 'trials') return ok(searches.trials(sweep, query));
  if (sweep.search && method === 'POST') return searches.act(sweep, verb, body);
  if (verb === 'cancel') {
    for (const { job_id } of sweep.trials) jobs('POST', job_id, 'cancel');
  }
  return ok(answerOf(sweep));
}

function answer(method, url, body) {
  const path = url.pathname.slice('/api/v1'.length);
  const [, root, id, verb] = path.split('/');
  const query = url.searchParams;
  switch (root) {
    case 'leaderboard':
      return ok(leaderboard(world, query));
    case 'merges':
      return merges(path, body);
    case 'jobs':
      return id ? jobs(method, id, verb) : list([...world.jobs].reverse().map((j) => jobAnswer(j)));
    case 'models':
      return models(method, id, verb, body);
    case 'evaluations':
      return verb === 'samples' ? samples(id) : evaluations(method, query, body);
    case 'comparisons':
      return comparison(query);
    case 'sweeps':
      return sweeps(method, id, verb, body, query);
    case 'searches':
      return searches.submit(body);
    case 'suites':
      return list(suitesAnswer());
    case 'methods':
      return list(kMethods);
    default:
      return missing();
  }
}

function stream(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const send = (event) =>
    response.write(`id: ${event.id}\nevent: job\ndata: ${JSON.stringify(event)}\n\n`);
  const last = Number(request.headers['last-event-id'] ?? world.events.length);
  world.events.filter((event) => event.id > last).forEach(send);
  response.write(': hello\n\n');
  world.listeners.add(send);
  request.on('close', () => world.listeners.delete(send));
}

async function file(pathname, response) {
  const name = normalize(pathname === '/' ? '/index.html' : pathname);
  try {
    const bytes = await readFile(join(kDist, name));
    response.writeHead(200, {
      'Content-Type': kTypes[extname(name)] ?? 'application/octet-stream',
      'Content-Security-Policy': kPolicy,
    });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? {} : JSON.parse(text);
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (!url.pathname.startsWith('/api/v1')) return file(url.pathname, response);
  if (url.pathname === '/api/v1/events') return stream(request, response);
  const result = answer(request.method, url, await bodyOf(request));
  const type =
    result.text !== undefined
      ? 'text/plain; charset=utf-8'
      : result.status >= 400
        ? 'application/problem+json'
        : 'application/json';
  response.writeHead(result.status, { 'Content-Type': type });
  return response.end(result.text ?? JSON.stringify(result.body));
});

setInterval(
  () => {
    world.advance();
    searches.advance();
  },
  Number(process.env.STEP_MS ?? 400),
);
server.listen(Number(process.env.PORT ?? 8090), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
