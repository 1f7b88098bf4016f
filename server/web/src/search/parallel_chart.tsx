import { useMemo, useRef } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { Canvas } from '../chart/canvas';
import { useWidth } from '../chart/use_width';
import { Figure } from '../ui/figure';
import { BrushAxis } from './brush_axis';
import { BrushInputs } from './brush_inputs';
import { type Brushes, countChosen, kNoBrushes, type Stretch, withBrush } from './brush';
import { CandidateTable } from './candidate_table';
import type { Dimension } from './dimensions';
import { drawLines, kRamp, linesOf, rampOf } from './parallel_lines';
import { worth } from './series';
import { number, share } from './texts';

const kHeight = 360;
const kTop = 56;
const kBottom = kHeight - 28;
const kSide = 60;
const kLeastStep = 84; // pixels between axes; below, the chart scrolls

interface Props {
  trials: readonly Candidate[];
  axes: readonly Dimension[]; // the varied ones and the estimate
  brushes: Brushes;
  chosen: Uint8Array | null;
  onBrush: (brushes: Brushes) => void;
}

function RampKey({ estimates }: { estimates: readonly (number | null)[] }) {
  const range = rampOf(estimates);
  if (!range) return null;
  return (
    <p class="ramp-key small">
      <span class="muted">Estimate</span> ≤ {share(range[0])} %
      <svg width={kRamp * 22} height="12" aria-hidden="true">
        {Array.from({ length: kRamp }, (_, i) => (
          <rect key={i} class={`ramp-${i}`} x={i * 22} y="0" width="22" height="12" />
        ))}
      </svg>
      {share(range[1])} %
    </p>
  );
}

function Plot({ trials, axes, brushes, chosen, onBrush }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const seen = useWidth(frame, 800);
  const width = Math.max(seen, 2 * kSide + (axes.length - 1) * kLeastStep);
  const estimates = useMemo(() => trials.map(worth), [trials]);
  const lines = useMemo(() => linesOf(axes, estimates, kTop, kBottom), [axes, estimates]);
  const step = (width - 2 * kSide) / Math.max(1, axes.length - 1);
  const x = axes.map((_, i) => kSide + i * step);
  // Many lines are drawn fainter, so that where they run together shows.
  const alpha = Math.max(0.12, Math.min(0.9, 12 / Math.sqrt(Math.max(1, trials.length))));
  const set = (name: string, stretch: Stretch | null) =>
    onBrush(withBrush(brushes, name, stretch ? [stretch.low, stretch.high] : null));
  return (
    <>
      <div class="chart-scroll" ref={frame} tabIndex={0} role="region" aria-label="Axes">
        <div class="chart layers">
          {chosen && (
            <Canvas
              width={width}
              height={kHeight}
              draw={(context, ink) =>
                drawLines(context, x, lines, ink, alpha * 0.5, () => true, 'line')
              }
              on={[lines]}
            />
          )}
          <Canvas
            width={width}
            height={kHeight}
            draw={(context, ink) =>
              drawLines(context, x, lines, ink, alpha, (row) => !chosen || chosen[row] === 1, null)
            }
            on={[lines, chosen]}
          />
          <svg
            width={width}
            height={kHeight}
            viewBox={`0 0 ${width} ${kHeight}`}
            aria-hidden="true"
          >
            {axes.map((axis, i) => (
              <BrushAxis
                key={axis.name}
                axis={axis}
                x={x[i]!}
                top={kTop}
                bottom={kBottom}
                room={step}
                edge={i === 0 ? 'first' : i === axes.length - 1 ? 'last' : null}
                raised={i % 2 === 1}
                stretch={brushes.get(axis.name) ?? null}
                onStretch={(stretch) => set(axis.name, stretch)}
              />
            ))}
          </svg>
        </div>
      </div>
      <div class="parallel-foot">
        <RampKey estimates={estimates} />
        <p class="small" role="status" data-testid="chosen">
          {number(countChosen(chosen, trials.length))} of {number(trials.length)} trials
          {chosen ? ' within the limits' : ''}
        </p>
        {brushes.size > 0 && (
          <button type="button" class="button small" onClick={() => onBrush(kNoBrushes)}>
            Clear limits
          </button>
        )}
      </div>
      <BrushInputs axes={axes} brushes={brushes} onStretch={set} />
    </>
  );
}

/** Each trial as a line over the axes of the space, coloured by its estimate; axes can be limited. */
export function ParallelChart(props: Props) {
  return (
    <Figure
      title="Trials over the space"
      description="Each line is a trial, from axis to axis by its values, the darker or brighter the better its estimate. Drag along an axis to limit it, or give its limits below; the table of trials follows."
      table={() => (
        <CandidateTable
          label="Trials over the space"
          candidates={props.trials.filter((_, row) => !props.chosen || props.chosen[row] === 1)}
        />
      )}
    >
      <Plot {...props} />
    </Figure>
  );
}
