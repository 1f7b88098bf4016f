import { useRef, useState } from 'preact/hooks';
import type { Sweep } from '../api/types';
import { Axes } from '../chart/axes';
import { linearScale, nearest, shareDomain } from '../chart/scale';
import { useWidth } from '../chart/use_width';
import { LevelLine } from './level_line';
import { ReadOut } from './read_out';
import { extent, type Level, type Series } from './series';
import { SeriesMarks } from './series_marks';

const kHeight = 340;
const kTop = 30;
const kLeft = 40;
const kRightSpace = 20;
const kBottomSpace = 48;
const kShift = 5;

interface Props {
  sweep: Sweep;
  shown: Series[];
  level: Level | null; // of the first shown line
}

/** Scores against the swept value, with 95 % intervals and a read-out at the pointer or focus. */
export function SweepChart({ sweep, shown, level }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame, 800);
  const [pointed, setPointed] = useState<number | null>(null);
  const values = sweep.trials.map((trial) => trial.value);
  const right = width - kRightSpace;
  const bottom = kHeight - kBottomSpace;
  const margin = 12; // room for the first and last error bars
  const x = linearScale(
    [Math.min(...values), Math.max(...values)],
    [kLeft + margin, right - margin],
  );
  const y = linearScale(shareDomain(extent(shown, level)), [bottom, kTop]);
  const follow = (event: PointerEvent) => {
    const box = frame.current!.getBoundingClientRect();
    const at = nearest(
      values.map((value) => x(value)),
      event.clientX - box.left,
    );
    setPointed(at < 0 ? null : at);
  };
  const trial = pointed === null ? null : (sweep.trials[pointed] ?? null);
  return (
    <div class="chart" ref={frame}>
      <svg
        width={width}
        height={kHeight}
        viewBox={`0 0 ${width} ${kHeight}`}
        role="group"
        aria-label={`Scores against ${sweep.parameter}`}
        onPointerMove={follow}
        onPointerLeave={() => setPointed(null)}
      >
        <Axes
          x={x}
          y={y}
          xs={values}
          xTitle={sweep.parameter}
          left={kLeft}
          right={right}
          top={kTop}
          bottom={bottom}
        />
        {level && (
          <LevelLine
            level={level}
            column={shown[0]?.column ?? ''}
            y={y}
            left={kLeft}
            right={right}
            top={kTop}
          />
        )}
        {trial && (
          <line class="cursor" x1={x(trial.value)} x2={x(trial.value)} y1={kTop} y2={bottom} />
        )}
        {shown.map((series, i) => (
          <SeriesMarks
            key={series.column}
            series={series}
            shift={(i - (shown.length - 1) / 2) * kShift}
            x={x}
            y={y}
            best={series.column === 'mean' ? sweep.best_trial : null}
            onPoint={setPointed}
          />
        ))}
      </svg>
      <ReadOut sweep={sweep} trial={trial} shown={shown} />
    </div>
  );
}
