/** How to read the table. */
export function BoardCaption() {
  return (
    <div class="notes muted">
      <p>
        Scores are shares in percent ± one standard error. The bar is value ± 1.96 standard errors,
        a 95 % interval, on an axis from 0 to 100 %; its tick is the best parent. The mean weighs
        every suite shown alike and needs them all.
      </p>
      <p>
        The change against the best parent is the merge’s score minus the highest score among its
        parents in the same column, in percentage points. Its standard error is √(se² of the merge +
        se² of the parent), as if their errors were independent; both answered the same items, so
        this is usually too wide rather than too narrow. Below 1.96 of it a change is{' '}
        <em>within noise</em>.
      </p>
    </div>
  );
}
