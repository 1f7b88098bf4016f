import { plain } from '../format/number';
import { type Scale, ticks } from './scale';

interface Props {
  x: Scale;
  y: Scale;
  xs: number[]; // values that have points; labelled themselves where there is room
  xTitle: string;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Grid, tick labels and axis titles; y is a share, shown in percent. */
export function Axes({ x, y, xs, xTitle, left, right, top, bottom }: Props) {
  const room = Math.max(2, Math.floor((right - left) / 56));
  const across = xs.length <= room ? xs : ticks(x.domain[0], x.domain[1], Math.max(2, room / 2));
  const up = ticks(y.domain[0], y.domain[1], 5);
  return (
    <g class="axes" aria-hidden="true">
      {up.map((value) => (
        <g key={value}>
          <line class="grid" x1={left} x2={right} y1={y(value)} y2={y(value)} />
          <text class="tick" x={left - 8} y={y(value)} dy="0.32em" text-anchor="end">
            {plain(value * 100, 1)}
          </text>
        </g>
      ))}
      {across.map((value) => (
        <g key={value}>
          <line class="axis" x1={x(value)} x2={x(value)} y1={bottom} y2={bottom + 5} />
          <text class="tick" x={x(value)} y={bottom + 18} text-anchor="middle">
            {plain(value)}
          </text>
        </g>
      ))}
      <line class="axis" x1={left} x2={right} y1={bottom} y2={bottom} />
      <text class="axis-title" x={right} y={bottom + 38} text-anchor="end">
        {xTitle}
      </text>
      <text class="axis-title" x={0} y={top - 12}>
        Score, %
      </text>
    </g>
  );
}
