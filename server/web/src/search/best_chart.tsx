import { useMemo, useRef } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { Axes } from '../chart/axes';
import { Canvas } from '../chart/canvas';
import { drawMarks } from '../chart/marks';
import { linearScale, shareDomain, ticks } from '../chart/scale';
import { useWidth } from '../chart/use_width';
import { Figure } from '../ui/figure';
import { TableScroll } from '../ui/table_scroll';
import { bestSoFar, rangeOf, type Step } from './series';
import { share } from './texts';
import { marksOf } from './value_chart';

const kHeight = 240;
const kTop = 30;
const kBottom = kHeight - 48;
const kLeft = 40;

/** A line that rises at each step and goes on to `end`. */
export function stepPath(
  steps: readonly Step[],
  x: (trial: number) => number,
  y: (best: number) => number,
  end: number,
): string {
  const rises = steps.map(({ trial, best }, i) =>
    i === 0 ? `M${x(trial)} ${y(best)}` : `H${x(trial)}V${y(best)}`,
  );
  return steps.length === 0 ? '' : `${rises.join('')}H${x(end)}`;
}

function Plot({ trials, steps }: { trials: readonly Candidate[]; steps: Step[] }) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame, 800);
  const right = width - 16;
  const last = useMemo(
    () => Math.max(1, ...trials.slice(-1).map(({ trial }) => trial ?? 0)),
    [trials],
  );
  const x = linearScale([0, last], [kLeft + 8, right - 8]);
  const y = useMemo(() => {
    const known = trials.filter(({ standing }) => standing !== 'failed');
    return linearScale(shareDomain(rangeOf(known.map(({ estimate }) => estimate)) ?? []), [
      kBottom,
      kTop,
    ]);
  }, [trials]);
  const marks = useMemo(
    () =>
      marksOf(
        trials,
        (row) => x(trials[row]!.trial!),
        (row) => (trials[row]!.standing === 'failed' ? NaN : y(trials[row]!.estimate ?? NaN)),
      ),
    [trials, width, y],
  );
  return (
    <div class="chart layers chart-240" ref={frame}>
      <Canvas
        width={width}
        height={kHeight}
        draw={(context, ink) => drawMarks(context, marks, ink)}
        on={[marks]}
      />
      <svg width={width} height={kHeight} viewBox={`0 0 ${width} ${kHeight}`} aria-hidden="true">
        <Axes
          x={x}
          y={y}
          xs={ticks(0, last, Math.max(2, Math.floor(width / 90)))}
          xTitle="Trial"
          left={kLeft}
          right={right}
          top={kTop}
          bottom={kBottom}
        />
        <path class="best-line" d={stepPath(steps, x, y, last)} />
      </svg>
    </div>
  );
}

/** How the best estimate rose from trial to trial. */
export function BestChart({ trials }: { trials: readonly Candidate[] }) {
  const steps = useMemo(() => bestSoFar(trials), [trials]);
  return (
    <Figure
      title="Best so far"
      description="The line is the best estimate among the trials that answered the most items; marks are all trials in the order they were asked for. A mark above the line has answered fewer items, which makes it less sure."
      table={() => (
        <TableScroll label="Best so far">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">From trial</th>
                <th scope="col" class="number">
                  Best estimate, %
                </th>
              </tr>
            </thead>
            <tbody>
              {steps.map(({ name, best }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="number">{share(best)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    >
      <Plot trials={trials} steps={steps} />
    </Figure>
  );
}
