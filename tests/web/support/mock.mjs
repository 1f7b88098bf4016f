import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

// The page's mock server on a free port of 127.0.0.1: the API from memory, with states no daemon gets into quickly.

const kWeb = fileURLToPath(new URL('../../../server/web/', import.meta.url));

export const havePage = existsSync(`${kWeb}dist/index.html`);

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

export async function startMock() {
  const port = await freePort();
  const child = spawn(process.execPath, [`${kWeb}mock/server.mjs`], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((done, fail) => {
    child.stdout.once('data', done);
    child.once('exit', (code) => fail(new Error(`the mock ended with ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => child.kill('SIGTERM') };
}
