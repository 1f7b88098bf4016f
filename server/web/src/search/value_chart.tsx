import { useMemo, useRef, useState } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { Axes } from '../chart/axes';
import { Canvas } from '../chart/canvas';
import { drawMarks, type Marks } from '../chart/marks';
import { linearScale, type Scale, shareDomain, ticks } from '../chart/scale';
import { useWidth } from '../chart/use_width';
import { Figure } from '../ui/figure';
import { CandidateTable } from './candidate_table';
import { coordinateText, type Dimension, positionOn } from './dimensions';
import { countStandings, mostSeen, rangeOf, spreadLabels, worth } from './series';
import { StandingKey } from './standing';
import { cut, share } from './texts';

const kHeight = 340;
const kTop = 30;
const kBottom = kHeight - 48;
const kLeft = 40;
const kReach = 24; // pixels from which a mark answers to the pointer

export function marksOf(
  trials: readonly Candidate[],
  x: (row: number) => number,
  y: (row: number) => number,
): Marks {
  const most = Math.max(1, mostSeen(trials));
  const marks: Marks = {
    x: new Float32Array(trials.length),
    y: new Float32Array(trials.length),
    standing: trials.map(({ standing }) => standing),
    weight: new Float32Array(trials.length),
  };
  for (let row = 0; row < trials.length; row += 1) {
    marks.x[row] = x(row);
    marks.y[row] = y(row);
    marks.weight[row] = trials[row]!.seen / most;
  }
  return marks;
}

/** Row of the mark nearest to a place; -1 when none is within reach. */
export function nearestMark(marks: Marks, x: number, y: number, reach = kReach): number {
  let best = -1;
  let least = reach * reach;
  for (let row = 0; row < marks.x.length; row += 1) {
    const distance = (marks.x[row]! - x) ** 2 + (marks.y[row]! - y) ** 2;
    if (distance <= least) {
      least = distance;
      best = row;
    }
  }
  return best;
}

/** A scale of a dimension's coordinates, logarithmic where the dimension is. */
function scaleOf(dimension: Dimension, range: [number, number]): Scale {
  const map = (value: number) => range[0] + positionOn(dimension, value) * (range[1] - range[0]);
  return Object.assign(map, { domain: [dimension.low, dimension.high] as [number, number] });
}

function ticksOf(dimension: Dimension, room: number): number[] {
  const { low, high, logarithmic } = dimension;
  if (!logarithmic) return ticks(low, high, room);
  const powers: number[] = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power += 1)
    powers.push(10 ** power);
  return powers.length >= 2 && powers.length <= room ? powers : [low, high];
}

interface LevelsProps {
  references: readonly Candidate[];
  y: Scale;
  right: number;
  labels: boolean;
}

/** The references as horizontal lines, told apart by their dashes and labels. */
function Levels({ references, y, right, labels }: LevelsProps) {
  const at = references.map(({ estimate }) => y(estimate ?? 0));
  const placed = spreadLabels(at, 15, kTop, kBottom);
  return (
    <g class="levels">
      {references.map(({ name, estimate }, i) => (
        <g key={name} class={`level-${i % 5}`}>
          <line x1={kLeft} x2={right} y1={at[i]} y2={at[i]} />
          {labels && (
            <>
              <path class="leader" d={`M${right} ${at[i]}L${right + 10} ${placed[i]}`} />
              <text x={right + 13} y={placed[i]} dy="0.32em">
                {cut(name, 17)} {share(estimate)}
                <title>{name}</title>
              </text>
            </>
          )}
        </g>
      ))}
    </g>
  );
}

function LevelKey({ references }: { references: readonly Candidate[] }) {
  return (
    <ul class="key" aria-label="References">
      {references.map(({ name, estimate }, i) => (
        <li key={name}>
          <svg class={`level-swatch level-${i % 5}`} width="28" height="8" aria-hidden="true">
            <line x1="0" x2="28" y1="4" y2="4" />
          </svg>{' '}
          {name} <span class="muted">{share(estimate)} %</span>
        </li>
      ))}
    </ul>
  );
}

interface Props {
  trials: readonly Candidate[];
  references: readonly Candidate[];
  dimension: Dimension; // over the trials
  best: string | null;
  onPick: (name: string) => void;
}

interface ReadOutProps {
  dimension: Dimension;
  trial: Candidate | undefined;
  row: number;
}

/** The trial under the pointer in words; without one, the best. */
function ReadOut({ dimension, trial, row }: ReadOutProps) {
  return (
    <p class="read-out" data-testid="value-read-out">
      {trial ? (
        <>
          <strong>{trial.name}</strong> {dimension.name} ={' '}
          {coordinateText(dimension, dimension.at[row]!)}: {share(trial.estimate)} % of {trial.seen}{' '}
          items, {trial.standing}
        </>
      ) : (
        <span class="muted">No trial leads yet.</span>
      )}
    </p>
  );
}

/** Scales over the value and the estimate, and where every trial stands on them. */
function usePlaces({ trials, references, dimension }: Props, width: number, right: number) {
  return useMemo(() => {
    const range = rangeOf([...trials.map(worth), ...references.map(({ estimate }) => estimate)]);
    const y = linearScale(shareDomain(range ?? []), [kBottom, kTop]);
    const x = scaleOf(dimension, [kLeft + 12, right - 12]);
    // What failed has no score: it stands on the axis.
    const height = (row: number) =>
      trials[row]!.standing === 'failed' ? kBottom : y(trials[row]!.estimate ?? NaN);
    return { x, y, marks: marksOf(trials, (row) => x(dimension.at[row]!), height) };
  }, [trials, references, dimension, width]);
}

function Plot(props: Props) {
  const { trials, references, dimension, best, onPick } = props;
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame, 800);
  const [pointed, setPointed] = useState(-1);
  const wide = width > 620;
  const right = width - (wide ? 190 : 16);
  const levels = references.filter(({ estimate }) => estimate !== null);
  const { x, y, marks } = usePlaces(props, width, right);
  const at = (event: PointerEvent) => {
    const box = frame.current!.getBoundingClientRect();
    return nearestMark(marks, event.clientX - box.left, event.clientY - box.top);
  };
  const bestRow = trials.findIndex(({ name }) => name === best);
  const ringed = pointed >= 0 && pointed < trials.length ? pointed : bestRow;
  const xs = ticksOf(dimension, Math.max(2, Math.floor((right - kLeft) / 90)));
  return (
    <>
      <div class="chart layers chart-340" ref={frame}>
        <Canvas
          width={width}
          height={kHeight}
          draw={(context, ink) => drawMarks(context, marks, ink)}
          on={[marks]}
        />
        <svg
          width={width}
          height={kHeight}
          viewBox={`0 0 ${width} ${kHeight}`}
          aria-hidden="true"
          onPointerMove={(event) => setPointed(at(event))}
          onPointerLeave={() => setPointed(-1)}
          onClick={() => {
            const row = trials[pointed];
            if (row) onPick(row.name);
          }}
        >
          <Axes
            x={x}
            y={y}
            xs={xs}
            xTitle={cut(dimension.name, 40)}
            left={kLeft}
            right={right}
            top={kTop}
            bottom={kBottom}
          />
          <Levels references={levels} y={y} right={right} labels={wide} />
          {ringed >= 0 && Number.isFinite(marks.y[ringed]!) && (
            <circle class="ring" cx={marks.x[ringed]} cy={marks.y[ringed]} r="7" />
          )}
        </svg>
      </div>
      <ReadOut dimension={dimension} trial={trials[ringed]} row={ringed} />
      <StandingKey counts={countStandings(trials)} />
      {!wide && <LevelKey references={levels} />}
    </>
  );
}

/** Estimates by the one number that is varied, with the references' as levels. */
export function ValueChart(props: Props) {
  return (
    <Figure
      title={`Estimate by ${props.dimension.name}`}
      description="Each mark is a trial, by its tune items; the fainter it is the fewer it has answered. Lines are the references on the same items. What failed stands on the axis."
      table={() => (
        <CandidateTable
          label={`Estimate by ${props.dimension.name}`}
          candidates={[...props.references, ...props.trials]}
        />
      )}
    >
      <Plot {...props} />
    </Figure>
  );
}
