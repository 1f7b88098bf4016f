import { useMemo } from 'preact/hooks';
import type { Search, Sweep } from '../api/types';
import { readDocument } from '../search/document';
import { number, share, span } from '../search/texts';
import { Badge } from '../ui/badge';
import { StateBadge } from '../ui/state_badge';

function Best({ search }: { search: Search }) {
  const winner = search.result?.winner;
  if (winner) {
    return (
      <>
        {winner.name}: {share(winner.report.score)} %
        <span class="score-error"> {span(winner.report.low, winner.report.high)}</span>
      </>
    );
  }
  if (!search.best) return null;
  return (
    <>
      {search.best.name}: {share(search.best.estimate)} %
      <span class="score-error"> of {number(search.best.seen)} tune items</span>
    </>
  );
}

/** What a search varies, its state, trials and best, in the list of sweeps. */
export function SearchCells({ sweep, search }: { sweep: Sweep; search: Search }) {
  const document = useMemo(() => readDocument(search.document), [search.document]);
  const most = document.budget.trials;
  return (
    <>
      <td class="wraps">
        <Badge tone="info">search</Badge> <code class="path">{document.variables.join(', ')}</code>
      </td>
      <td>
        <StateBadge state={sweep.state} />
      </td>
      <td class="number">
        {number(search.trials)}
        {most !== undefined && ` of ${number(most)}`}
      </td>
      <td class="nowrap">
        <Best search={search} />
      </td>
    </>
  );
}
