import type { Candidate, SearchResult, Winner } from '../api/types';
import { ProblemPanel } from '../ui/problem_panel';
import { StandingMark } from './standing';
import { number, points, share, span } from './texts';
import { ScoreInterval } from './score_interval';

function Numbers({ winner }: { winner: Winner }) {
  const { report, tune } = winner;
  return (
    <dl class="score-pair">
      <div>
        <dt>Report score of {winner.name}</dt>
        <dd>
          <strong class="big" data-testid="report-score">
            {share(report.score)} %
          </strong>{' '}
          <span class="nowrap">95 % interval {span(report.low, report.high)}</span>
          <ScoreInterval {...report} />
          <span class="muted small">{number(report.items)} items that the search did not see</span>
        </dd>
      </div>
      <div>
        <dt>Tune score</dt>
        <dd>
          <span class="big">{share(tune.score)} %</span>
          <span class="muted small">{number(tune.items)} items that it was chosen by</span>
        </dd>
      </div>
    </dl>
  );
}

/** Why the tune score is not to be believed, in numbers. */
function Inflation({ result }: { result: SearchResult }) {
  const { inflation, winner } = result;
  if (!inflation || !winner) return null;
  const { expected, gaussian, candidates } = inflation;
  const fell =
    winner.tune.score !== null && winner.report.score !== null
      ? winner.report.score - winner.tune.score
      : null;
  return (
    <p class="notes" data-testid="inflation">
      What inflates the tune score: the best of {number(candidates)} that answered as many items is
      expected to be <strong>{points(expected)} points</strong> too high by luck alone (
      {points(gaussian)} if their scores were normal and independent). From tune to report the
      winner’s score moved by {points(fell)} points.
    </p>
  );
}

/** The verdict first, then how sure it is. */
export function Verdict({ result }: { result: SearchResult }) {
  return (
    <section class="panel verdict" aria-label="Verdict">
      <p class="verdict-sentence" data-testid="verdict">
        {result.verdict}
      </p>
      {result.winner && <Numbers winner={result.winner} />}
      <Inflation result={result} />
      <p class="muted small">The race ended: {result.race.stopped}.</p>
    </section>
  );
}

/** Before there is a verdict: who leads, and that this is not one. */
export function Leader({ best, suites }: { best: Candidate | null; suites: string[] }) {
  return (
    <section class="panel verdict" aria-label="Leader so far">
      {best ? (
        <>
          <p class="verdict-sentence">
            <StandingMark standing={best.standing} /> {best.name} leads with {share(best.estimate)}{' '}
            % of {number(best.seen)} tune items.
          </p>
          <p class="muted small">
            No verdict yet: the leader is chosen by these very items, so its score is too high. Once
            the race is over, it is scored on items of {suites.join(', ')} that the search has not
            seen.
          </p>
        </>
      ) : (
        <p class="verdict-sentence">No trial has answered anything yet.</p>
      )}
    </section>
  );
}

export function Failure({
  error,
}: {
  error: {
    code: string;
    message: string;
    errors: { path: string; message: string; suggestion: string }[];
  };
}) {
  return (
    <ProblemPanel
      problem={{
        type: 'about:blank',
        title: 'The search stopped',
        status: 0,
        detail: error.message,
        code: error.code,
        errors: error.errors,
      }}
    />
  );
}
