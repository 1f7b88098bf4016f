import type { Score } from '../api/types';
import { percent } from '../format/number';
import { interval } from '../stats/delta';
import { linearScale } from './scale';

const kWidth = 108;
const kHeight = 14;
const x = linearScale([0, 1], [4, kWidth - 4]);

interface Props {
  score: Score;
  reference?: number | undefined; // the best parent's value, a tick
}

/** Value and 95 % interval on a common axis from 0 to 100 %. */
export function IntervalBar({ score, reference }: Props) {
  const range = interval(score);
  const text = range
    ? `95 % interval ${percent(range.low)} to ${percent(range.high)} %`
    : 'no standard error';
  return (
    <svg
      class="interval"
      width={kWidth}
      height={kHeight}
      viewBox={`0 0 ${kWidth} ${kHeight}`}
      role="img"
      aria-label={text}
    >
      <title>{text}</title>
      <line class="interval-axis" x1={x(0)} x2={x(1)} y1="7" y2="7" />
      {[0, 0.5, 1].map((at) => (
        <line key={at} class="interval-axis" x1={x(at)} x2={x(at)} y1="5" y2="9" />
      ))}
      {reference !== undefined && (
        <line class="interval-reference" x1={x(reference)} x2={x(reference)} y1="1" y2="13" />
      )}
      {range && <line class="interval-range" x1={x(range.low)} x2={x(range.high)} y1="7" y2="7" />}
      <circle class="interval-value" cx={x(score.value)} cy="7" r="3" />
    </svg>
  );
}
