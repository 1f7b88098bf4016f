import { linearScale } from '../chart/scale';

const kWidth = 220;
const x = linearScale([0, 1], [6, kWidth - 6]);

interface Props {
  score: number | null;
  low: number | null;
  high: number | null;
}

/** A score and its interval on an axis from 0 to 100 %; the numbers stand beside it. */
export function ScoreInterval({ score, low, high }: Props) {
  if (score === null) return null;
  return (
    <svg
      class="interval wide"
      viewBox={`0 0 ${kWidth} 30`}
      width={kWidth}
      height="30"
      aria-hidden="true"
    >
      <line class="interval-axis" x1={x(0)} x2={x(1)} y1="9" y2="9" />
      {[0, 0.25, 0.5, 0.75, 1].map((at) => (
        <g key={at}>
          <line class="interval-axis" x1={x(at)} x2={x(at)} y1="6" y2="12" />
          <text
            class="tick"
            x={x(at)}
            y="26"
            text-anchor={at === 0 ? 'start' : at === 1 ? 'end' : 'middle'}
          >
            {at * 100}
          </text>
        </g>
      ))}
      {low !== null && high !== null && (
        <line class="interval-range" x1={x(low)} x2={x(high)} y1="9" y2="9" />
      )}
      <circle class="interval-value" cx={x(score)} cy="9" r="4" />
    </svg>
  );
}
