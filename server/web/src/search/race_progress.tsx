import type { Candidate, Search, Standing } from '../api/types';
import { duration } from '../format/time';
import { ProgressBar } from '../queue/progress_bar';
import { kLimits, type Limit, type SearchDocument } from './document';
import { StandingMark } from './standing';
import { countStandings, kStandings } from './series';
import { number } from './texts';

/** What of a limit is spent; null where that is not known yet. */
function spentOf(limit: Limit, search: Search, trials: number): number | null {
  switch (limit) {
    case 'trials':
      return trials;
    case 'items':
      return search.evaluations;
    case 'minutes':
      return search.seconds / 60;
    default:
      return search.result?.cost.tokens ?? null;
  }
}

function BudgetRow({ limit, most, spent }: { limit: Limit; most: number; spent: number | null }) {
  const name = `Budget of ${limit}`;
  return (
    <>
      <dt>{limit}</dt>
      <dd>
        <span class="progress">
          {spent !== null && (
            <progress max={most} value={Math.min(spent, most)} aria-label={name} />
          )}
          <span class="progress-text">
            {spent === null
              ? `of ${number(most)}; spent is told at the end`
              : `${number(spent)} of ${number(most)}, ${number(Math.max(0, most - spent))} left`}
          </span>
        </span>
      </dd>
    </>
  );
}

function Counts({ counts, trials }: { counts: Record<Standing, number>; trials: number }) {
  return (
    <ul class="tiles" data-testid="race-counts">
      <li>
        <strong>{number(trials)}</strong> trials
      </li>
      {kStandings.map((standing) => (
        <li key={standing} data-standing={standing}>
          <strong>{number(counts[standing])}</strong> <StandingMark standing={standing} />{' '}
          {standing}
        </li>
      ))}
    </ul>
  );
}

function asked(search: Search): string {
  const exhaustive = search.result?.race.exhaustive ?? 0;
  const race = search.result?.race.evaluations ?? 0;
  const all = `${number(search.evaluations)} answers asked of all, in ${duration(search.seconds)} of work.`;
  if (exhaustive <= 0) return all;
  const percent = ((100 * race) / exhaustive).toFixed(0);
  return `${all} The race took ${number(race)} of the ${number(exhaustive)} that asking everybody everything would have taken (${percent} %).`;
}

interface Props {
  search: Search;
  running: boolean;
  trials: Candidate[];
  document: SearchDocument;
}

/** Who is still in the race, what was asked, what of the budget is left. */
export function RaceProgress({ search, running, trials, document }: Props) {
  const limits = kLimits.flatMap((limit) => {
    const most = document.budget[limit];
    return most === undefined ? [] : [{ limit, most }];
  });
  return (
    <section class="panel" aria-label="Race">
      <Counts counts={countStandings(trials)} trials={trials.length} />
      {running && search.progress.stage !== '' && <ProgressBar progress={search.progress} />}
      <p class="muted small">{asked(search)}</p>
      {limits.length > 0 && (
        <dl class="facts budget">
          {limits.map(({ limit, most }) => (
            <BudgetRow
              key={limit}
              limit={limit}
              most={most}
              spent={spentOf(limit, search, trials.length)}
            />
          ))}
        </dl>
      )}
    </section>
  );
}
