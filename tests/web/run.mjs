import { spawnSync } from 'node:child_process';

// node --test with a readable report, and a JUnit file where JUNIT names one.
const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
const { JUNIT } = process.env;
if (JUNIT) reporters.push('--test-reporter=junit', `--test-reporter-destination=${JUNIT}`);
const files = [
  'page.test.mjs',
  'hostile.test.mjs',
  'search.test.mjs',
  'compare.test.mjs',
  'model.test.mjs',
];
const result = spawnSync(
  process.execPath,
  ['--test', ...reporters, ...process.argv.slice(2), ...files],
  {
    stdio: 'inherit',
    cwd: import.meta.dirname,
  },
);
process.exitCode = result.status ?? 1;
