import type { Scale } from '../chart/scale';
import { percent } from '../format/number';
import type { Level } from './series';

interface Props {
  level: Level;
  column: string;
  y: Scale;
  left: number;
  right: number;
  top: number; // of the plot; the key stands above it
}

/** The best parent's score as a dashed level with its key. */
export function LevelLine({ level, column, y, left, right, top }: Props) {
  const height = y(level.score.value);
  return (
    <g class="level">
      <line x1={left} x2={right} y1={height} y2={height} />
      <line x1={right - 22} x2={right} y1={top - 16} y2={top - 16} />
      <text x={right - 28} y={top - 12} text-anchor="end">
        best parent’s {column}: {percent(level.score.value)} ({level.model.name})
      </text>
    </g>
  );
}
