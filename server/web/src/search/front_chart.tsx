import { useMemo, useRef, useState } from 'preact/hooks';
import type { Candidate } from '../api/types';
import { Canvas } from '../chart/canvas';
import { drawMarks } from '../chart/marks';
import { linearScale, type Scale, shareDomain, ticks } from '../chart/scale';
import { useWidth } from '../chart/use_width';
import { plain } from '../format/number';
import { Figure } from '../ui/figure';
import { CandidateTable } from './candidate_table';
import { countStandings, fullyAsked, paretoFront, rangeOf } from './series';
import { StandingKey } from './standing';
import { cut, share } from './texts';
import { marksOf, nearestMark } from './value_chart';

const kHeight = 400;
const kTop = 30;
const kBottom = kHeight - 48;
const kLeft = 44;

/** Trials that no other beats in every suite, by their names. */
export function frontOf(trials: readonly Candidate[]): Candidate[] {
  const asked = fullyAsked(trials);
  return paretoFront(asked.map(({ suites }) => suites)).map((row) => asked[row]!);
}

interface PlotProps {
  trials: readonly Candidate[];
  references: readonly Candidate[];
  front: readonly Candidate[];
  suites: string[];
  across: number; // suites by index
  up: number;
  onPick: (name: string) => void;
}

function Grid({
  x,
  y,
  right,
  names,
}: {
  x: Scale;
  y: Scale;
  right: number;
  names: [string, string];
}) {
  const room = Math.max(2, Math.floor((right - kLeft) / 90));
  return (
    <g class="axes">
      {ticks(y.domain[0], y.domain[1], 6).map((at) => (
        <g key={at}>
          <line class="grid" x1={kLeft} x2={right} y1={y(at)} y2={y(at)} />
          <text class="tick" x={kLeft - 8} y={y(at)} dy="0.32em" text-anchor="end">
            {plain(at * 100, 1)}
          </text>
        </g>
      ))}
      {ticks(x.domain[0], x.domain[1], room).map((at) => (
        <g key={at}>
          <line class="grid" x1={x(at)} x2={x(at)} y1={kTop} y2={kBottom} />
          <text class="tick" x={x(at)} y={kBottom + 18} text-anchor="middle">
            {plain(at * 100, 1)}
          </text>
        </g>
      ))}
      <line class="axis" x1={kLeft} x2={right} y1={kBottom} y2={kBottom} />
      <text class="axis-title" x={right} y={kBottom + 38} text-anchor="end">
        {cut(names[0], 40)}, %
      </text>
      <text class="axis-title" x={0} y={kTop - 12}>
        {cut(names[1], 40)}, %
      </text>
    </g>
  );
}

interface Place {
  name: string;
  x: number;
  y: number;
}

/** The front's trials ringed; with two objectives only, joined by steps. */
function Front({ points, joined }: { points: readonly Place[]; joined: boolean }) {
  return (
    <>
      {joined && points.length > 1 && (
        <path
          class="front-line"
          d={points.map((p, i) => (i === 0 ? `M${p.x} ${p.y}` : `V${p.y}H${p.x}`)).join('')}
        />
      )}
      {points.map((point) => (
        <circle key={point.name} class="front-point" cx={point.x} cy={point.y} r="5.500" />
      ))}
    </>
  );
}

interface ReferenceProps {
  references: readonly Candidate[];
  across: number;
  up: number;
  x: Scale;
  y: Scale;
  right: number;
}

function ReferenceMarks({ references, across, up, x, y, right }: ReferenceProps) {
  return (
    <>
      {references.map(({ name, suites }) => {
        const [a, b] = [suites[across], suites[up]];
        if (typeof a !== 'number' || typeof b !== 'number') return null;
        const nearRight = x(a) > right - 120;
        return (
          <g key={name} class="reference">
            <path d={`M${x(a)} ${y(b) - 6}l6 6l-6 6l-6-6Z`} />
            <text
              x={x(a) + (nearRight ? -10 : 10)}
              y={y(b)}
              dy="0.32em"
              text-anchor={nearRight ? 'end' : 'start'}
            >
              {cut(name, 18)}
            </text>
          </g>
        );
      })}
    </>
  );
}

/** The scales of two suites and where every trial stands on them. */
function usePlaces({ trials, references, across, up }: PlotProps, width: number, right: number) {
  return useMemo(() => {
    const all = [...trials.filter(({ standing }) => standing !== 'failed'), ...references];
    const domain = (suite: number) =>
      shareDomain(rangeOf(all.map((one) => one.suites[suite] ?? null)) ?? []);
    const x = linearScale(domain(across), [kLeft + 8, right - 8]);
    const y = linearScale(domain(up), [kBottom, kTop]);
    const place = (suite: number, scale: Scale) => (row: number) =>
      trials[row]!.standing === 'failed' ? NaN : scale(trials[row]!.suites[suite] ?? NaN);
    return { x, y, marks: marksOf(trials, place(across, x), place(up, y)) };
  }, [trials, references, across, up, width]);
}

function Plot(props: PlotProps) {
  const { trials, references, front, suites, across, up, onPick } = props;
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame, 800);
  const [pointed, setPointed] = useState(-1);
  const right = width - 16;
  const { x, y, marks } = usePlaces(props, width, right);
  const points = front
    .map(({ name, suites: scores }) => ({ name, x: x(scores[across]!), y: y(scores[up]!) }))
    .sort((a, b) => a.x - b.x || b.y - a.y);
  const shown = trials[pointed] ?? null;
  const at = (event: PointerEvent) => {
    const box = frame.current!.getBoundingClientRect();
    return nearestMark(marks, event.clientX - box.left, event.clientY - box.top);
  };
  return (
    <>
      <div class="chart layers chart-400" ref={frame}>
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
          <Grid x={x} y={y} right={right} names={[suites[across] ?? '', suites[up] ?? '']} />
          <Front points={points} joined={suites.length === 2} />
          <ReferenceMarks {...{ references, across, up, x, y, right }} />
          {shown && Number.isFinite(marks.x[pointed]!) && (
            <circle class="ring" cx={marks.x[pointed]} cy={marks.y[pointed]} r="8" />
          )}
        </svg>
      </div>
      <p class="read-out">
        {shown ? (
          <>
            <strong>{shown.name}</strong>{' '}
            {suites.map((suite, i) => `${suite} ${share(shown.suites[i])} %`).join(', ')}
          </>
        ) : (
          <span class="muted">{front.length} trials are on the front.</span>
        )}
      </p>
      <StandingKey counts={countStandings(trials)} />
    </>
  );
}

function Choice({
  label,
  suites,
  value,
  onChange,
}: {
  label: string;
  suites: string[];
  value: number;
  onChange: (index: number) => void;
}) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(Number(event.currentTarget.value))}>
        {suites.map((suite, i) => (
          <option key={suite} value={i}>
            {suite}
          </option>
        ))}
      </select>
    </label>
  );
}

interface Props {
  trials: readonly Candidate[];
  references: readonly Candidate[];
  suites: string[];
  onPick: (name: string) => void;
}

/** Two objectives against each other, and the trials that no other beats in all of them. */
export function FrontChart({ trials, references, suites, onPick }: Props) {
  const [across, setAcross] = useState(0);
  const [up, setUp] = useState(1);
  const front = useMemo(() => frontOf(trials), [trials]);
  return (
    <Figure
      title="Pareto front"
      description="Trials by two of the suites. Ringed ones are on the front: no other trial is at least as good in every suite and better in one. Diamonds are the references. Only trials that answered the most items can be on it."
      table={() => <CandidateTable label="Pareto front" candidates={front} suites={suites} />}
    >
      {suites.length > 2 && (
        <div class="row">
          <Choice label="Across" suites={suites} value={across} onChange={setAcross} />
          <Choice label="Up" suites={suites} value={up} onChange={setUp} />
        </div>
      )}
      <Plot {...{ trials, references, front, suites, across, up, onPick }} />
    </Figure>
  );
}
