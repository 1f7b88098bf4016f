import type { ReferenceResult } from '../api/types';
import { linearScale, type Scale, ticks } from '../chart/scale';
import { signedPercent } from '../format/number';
import { Badge, type Tone } from '../ui/badge';
import { Figure } from '../ui/figure';
import { TableScroll } from '../ui/table_scroll';
import { rangeOf } from './series';
import { points, probability, share, span } from './texts';

const kWidth = 300;
const kHeight = 26;

const kTones: Record<string, Tone> = { beats: 'good', worse: 'bad' };

function scaleOf(references: readonly ReferenceResult[]): Scale {
  const range = rangeOf(
    references.flatMap(({ difference, low, high }) => [difference, low, high, 0]),
  );
  const [low, high] = range ?? [-0.1, 0.1];
  const margin = Math.max(0.01, (high - low) * 0.05);
  return linearScale([low - margin, high + margin], [8, kWidth - 8]);
}

/** Ticks whose labels are not cut off at the ends. */
function ticksWithin(x: Scale): number[] {
  return ticks(x.domain[0], x.domain[1], 5).filter((at) => x(at) > 18 && x(at) < kWidth - 18);
}

function Axis({ x }: { x: Scale }) {
  return (
    <svg class="forest" viewBox={`0 0 ${kWidth} 18`} width={kWidth} height="18" aria-hidden="true">
      {ticksWithin(x).map((at) => (
        <text key={at} class="tick" x={x(at)} y="13" text-anchor="middle">
          {signedPercent(at)}
        </text>
      ))}
    </svg>
  );
}

function DotAndInterval({ reference, x }: { reference: ReferenceResult; x: Scale }) {
  const { difference, low, high } = reference;
  return (
    <svg
      class={`forest forest-${kTones[reference.verdict] ?? 'level'}`}
      viewBox={`0 0 ${kWidth} ${kHeight}`}
      width={kWidth}
      height={kHeight}
      aria-hidden="true"
    >
      {ticksWithin(x).map((at) => (
        <line key={at} class="grid" x1={x(at)} x2={x(at)} y1="0" y2={kHeight} />
      ))}
      <line class="zero" x1={x(0)} x2={x(0)} y1="0" y2={kHeight} />
      {low !== null && high !== null && (
        <path class="range" d={`M${x(low)} 13H${x(high)}M${x(low)} 9v8M${x(high)} 9v8`} />
      )}
      {difference !== null && <circle cx={x(difference)} cy="13" r="4.500" />}
    </svg>
  );
}

/** The winner's difference to each reference as dot and interval, with the numbers in the same row. */
export function References({
  references,
  winner,
}: {
  references: ReferenceResult[];
  winner: string;
}) {
  if (references.length === 0) return null;
  const x = scaleOf(references);
  return (
    <Figure
      title={`${winner} against its references`}
      description={
        <>
          Difference of report scores on the same items, in points, with its 95 % interval. Right of
          the line {winner} is better; an interval across the line shows no detectable difference.
        </>
      }
    >
      <TableScroll label="References">
        <table class="plain references" data-testid="references">
          <thead>
            <tr>
              <th scope="col">Reference</th>
              <th scope="col">
                <span class="hidden">Chart</span>
                <Axis x={x} />
              </th>
              <th scope="col" class="number">
                Difference
              </th>
              <th scope="col" class="number">
                95 % interval
              </th>
              <th scope="col" class="number">
                P(better)
              </th>
              <th scope="col" class="number">
                Wins – losses
              </th>
              <th scope="col" class="number">
                Its score, %
              </th>
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          <tbody>
            {references.map((reference) => (
              <tr key={reference.name}>
                <th scope="row">{reference.name}</th>
                <td class="forest-cell">
                  <DotAndInterval reference={reference} x={x} />
                </td>
                <td class="number">{points(reference.difference)}</td>
                <td class="number">{span(reference.low, reference.high, signedPercent)}</td>
                <td class="number">{probability(reference.probability_better)}</td>
                <td class="number">
                  {reference.wins} – {reference.losses}
                </td>
                <td class="number">{share(reference.report.score)}</td>
                <td>
                  <Badge tone={kTones[reference.verdict] ?? 'plain'}>{reference.verdict}</Badge>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </Figure>
  );
}
