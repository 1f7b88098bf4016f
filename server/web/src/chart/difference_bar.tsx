import { signedPercent } from '../format/number';
import { linearScale } from './scale';

const kWidth = 132;
const kHeight = 16;

interface Props {
  value: number;
  low: number | null;
  high: number | null;
  extent: number; // the axis goes from -extent to extent
}

/** A difference and its 95 % interval on an axis centred on no difference. */
export function DifferenceBar({ value, low, high, extent }: Props) {
  const x = linearScale([-extent, extent], [4, kWidth - 4]);
  const range = low !== null && high !== null;
  const text = range
    ? `${signedPercent(value)} points, 95 % interval ${signedPercent(low)} to ${signedPercent(high)}`
    : `${signedPercent(value)} points`;
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
      <line class="interval-axis" x1={x(-extent)} x2={x(extent)} y1="8" y2="8" />
      <line class="interval-zero" x1={x(0)} x2={x(0)} y1="1" y2="15" />
      {range && <line class="interval-range" x1={x(low)} x2={x(high)} y1="8" y2="8" />}
      <circle class="interval-value" cx={x(value)} cy="8" r="3" />
    </svg>
  );
}
