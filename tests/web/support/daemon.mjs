import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// A real daemon on a free port of 127.0.0.1 with a state folder of its own, ended by pid.

const kRoot = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
const kFamily = join(kRoot, 'deploy', 'demo-family');

export const binary = resolve(kRoot, process.env.CRUCIBLE_BINARY ?? 'build/release/crucible');
export const family = ['base', 'sums', 'words', 'feelings'];
export const haveDaemon = existsSync(binary);

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

async function waitReady(url, child) {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}`);
    try {
      if ((await fetch(`${url}/readyz`)).ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('the daemon is not ready after 30 s');
}

export async function startDaemon() {
  const folder = await mkdtemp(join(tmpdir(), 'crucible-web-'));
  const models = join(folder, 'models');
  await cp(kFamily, models, { recursive: true });
  await mkdir(join(folder, 'state'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const options = ['--state', join(folder, 'state'), '--port', String(port)];
  options.push('--allow-root', models, '--suites', join(models, 'suites'));
  const child = spawn(binary, ['serve', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (chunk) => (log += chunk));
  child.stderr.on('data', (chunk) => (log += chunk));
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await Promise.race([ended, new Promise((done) => setTimeout(done, 10_000))]);
      if (child.exitCode === null) child.kill('SIGKILL');
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitReady(url, child);
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${log}`);
  }
  const token = (await readFile(join(folder, 'state', 'token'), 'utf8')).trim();
  return { url, token, models, stop, log: () => log };
}
