import assert from 'node:assert/strict';

// What the tests submit, and how they read the page.

export const slerp = (t) => `merge_method: slerp
base_model: words
models:
  - model: words
  - model: feelings
parameters:
  t: ${t}
dtype: bfloat16
`;

export const kFaulty = `merge_method: ties
base_model: base
models:
  - model: sums
    parameters:
      weight: 0.5
  - model: words
    parameters:
      wieght: 0.5
dtype: bfloat16
`;

export const percent = (share) => (share * 100).toFixed(1);

/** Leaderboard cells as the page shows them: name and texts by column. */
export function boardRows(page) {
  return page.locator('[data-testid=leaderboard] tr[data-model]').evaluateAll((rows) =>
    rows.map((row) => ({
      name: row.querySelector('.model-link').textContent,
      rank: row.querySelector('.rank').textContent,
      parent: [...row.querySelectorAll('.badge')].some((badge) => badge.textContent === 'parent'),
      cells: Object.fromEntries(
        [...row.querySelectorAll('td.score')].map((cell) => [
          cell.dataset.column,
          cell.querySelector('.score-text')?.textContent ?? null,
        ]),
      ),
    })),
  );
}

export function scoreText(score) {
  if (!score) return null;
  return score.standard_error === null
    ? percent(score.value)
    : `${percent(score.value)} ± ${percent(score.standard_error)}`;
}

/** Waits until an asynchronous condition holds. */
export async function until(condition, limitMs = 15_000) {
  for (const end = Date.now() + limitMs; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(`not so after ${limitMs} ms: ${condition}`);
}
