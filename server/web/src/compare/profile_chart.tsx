import { useRef } from 'preact/hooks';
import type { Score } from '../api/types';
import { Marker } from '../chart/marker';
import { outlines, pathOf, spoke } from '../chart/radar_geometry';
import { linearScale, ticks } from '../chart/scale';
import { useWidth } from '../chart/use_width';
import { kNone, percent } from '../format/number';
import { interval } from '../stats/delta';
import { TableScroll } from '../ui/table_scroll';

/** A model's scores in the order of the suites. */
export interface Profile {
  name: string;
  scores: (Score | null)[];
}

interface Props {
  suites: string[];
  profiles: Profile[];
}

const kRings = [0.25, 0.5, 0.75, 1];

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function Spokes({ suites, radius, most }: { suites: string[]; radius: number; most: number }) {
  const count = suites.length;
  return (
    <g aria-hidden="true">
      {kRings.map((ring) => (
        <path
          key={ring}
          class="grid radar-ring"
          d={pathOf({ points: suites.map((_, i) => spoke(i, count, radius * ring)), closed: true })}
        />
      ))}
      {suites.map((suite, i) => {
        const end = spoke(i, count, radius);
        const label = spoke(i, count, radius + 14);
        const side = Math.abs(label.x) < 8 ? 'middle' : label.x > 0 ? 'start' : 'end';
        return (
          <g key={suite}>
            <line class="grid" x1="0" y1="0" x2={end.x} y2={end.y} />
            <text class="tick" x={label.x} y={label.y} dy="0.32em" text-anchor={side}>
              {shortened(suite, most)}
            </text>
          </g>
        );
      })}
      {kRings.map((ring) => (
        <text key={ring} class="tick ring-label" x="4" y={-radius * ring} dy="1em">
          {ring * 100}
        </text>
      ))}
    </g>
  );
}

function RadarLine({
  profile,
  shape,
  radius,
}: {
  profile: Profile;
  shape: number;
  radius: number;
}) {
  const values = profile.scores.map((score) => score?.value ?? null);
  return (
    <g class={`series-${shape}`} aria-hidden="true">
      {outlines(values, radius).map((outline, i) => (
        <path key={i} class="series-line" d={pathOf(outline)} />
      ))}
      {values.map((value, i) => {
        if (value === null) return null;
        const { x, y } = spoke(i, values.length, radius * value);
        return <Marker key={i} x={x} y={y} shape={shape} />;
      })}
    </g>
  );
}

function Radar({ suites, profiles, width }: Props & { width: number }) {
  const whole = Math.min(width, 620);
  const room = Math.min(120, whole * 0.24); // for the suites' names
  const radius = Math.min(210, whole / 2 - room);
  const [top, bottom] = [
    -radius - 28,
    Math.max(...suites.map((_, i) => spoke(i, suites.length, radius).y)) + 28,
  ];
  return (
    <svg
      width={whole}
      height={bottom - top}
      viewBox={`${-whole / 2} ${top} ${whole} ${bottom - top}`}
      role="img"
      aria-labelledby="profile-name profile-text"
    >
      <title id="profile-name">Scores by suite, as a radar chart</title>
      <desc id="profile-text">
        A spoke a suite, from 0 % at the centre to 100 % at the rim; a line a model. The same
        numbers are in the table below.
      </desc>
      <Spokes suites={suites} radius={radius} most={Math.floor(room / 6.5)} />
      {profiles.map((profile, i) => (
        <RadarLine key={i} profile={profile} shape={i} radius={radius} />
      ))}
    </svg>
  );
}

function Dot({
  score,
  shape,
  x,
  y,
}: {
  score: Score;
  shape: number;
  x: (v: number) => number;
  y: number;
}) {
  const range = interval(score);
  return (
    <g class={`series-${shape}`}>
      {range && <line class="error-bar" x1={x(range.low)} x2={x(range.high)} y1={y} y2={y} />}
      <Marker x={x(score.value)} y={y} shape={shape} />
    </g>
  );
}

function DotPlot({ suites, profiles, width }: Props & { width: number }) {
  const step = 18;
  const band = step * profiles.length + 26;
  const [left, right] = [12, width - 26];
  const x = linearScale([0, 1], [left, right]);
  const bottom = band * suites.length + 4;
  return (
    <svg
      width={width}
      height={bottom + 28}
      viewBox={`0 0 ${width} ${bottom + 28}`}
      role="img"
      aria-labelledby="profile-name profile-text"
    >
      <title id="profile-name">Scores by suite, as a dot plot</title>
      <desc id="profile-text">
        A line a model in each suite: the score and its 95 % interval from 0 to 100 %. The same
        numbers are in the table below.
      </desc>
      {ticks(0, 1, width < 500 ? 4 : 10).map((value) => (
        <g key={value} aria-hidden="true">
          <line class="grid" x1={x(value)} x2={x(value)} y1="0" y2={bottom} />
          <text class="tick" x={x(value)} y={bottom + 18} text-anchor="middle">
            {value * 100 === 100 ? '100 %' : Math.round(value * 100)}
          </text>
        </g>
      ))}
      {suites.map((suite, row) => (
        <g key={suite} aria-hidden="true">
          <text class="tick dot-suite" x={left} y={row * band + 14}>
            {suite}
          </text>
          {profiles.map(({ scores }, i) => {
            const score = scores[row];
            const y = row * band + 28 + i * step;
            return score ? <Dot key={i} score={score} shape={i} x={x} y={y} /> : null;
          })}
        </g>
      ))}
    </svg>
  );
}

function Legend({ profiles }: { profiles: Profile[] }) {
  return (
    <ul class="legend">
      {profiles.map(({ name }, i) => (
        <li key={i} class={`series-${i}`}>
          <svg width="16" height="14" viewBox="0 0 16 14" aria-hidden="true">
            <Marker x={8} y={7} shape={i} />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}

function scoreText(score: Score | null): string {
  if (!score) return kNone;
  const range = interval(score);
  const ends = range ? ` (${percent(range.low)} to ${percent(range.high)})` : '';
  return percent(score.value) + ends;
}

function Twin({ suites, profiles }: Props) {
  return (
    <details>
      <summary>The chart as a table</summary>
      <TableScroll label="The chart as a table">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Suite, %</th>
              {profiles.map(({ name }, i) => (
                <th key={i} scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {suites.map((suite, row) => (
              <tr key={suite}>
                <th scope="row">{suite}</th>
                {profiles.map(({ scores }, i) => (
                  <td key={i} class="number">
                    {scoreText(scores[row] ?? null)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </details>
  );
}

/** Models' strengths at a glance: a radar of three suites or more, a dot plot of fewer; with a table. */
export function ProfileChart(props: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame, 600);
  const radar = props.suites.length >= 3;
  return (
    <figure class="chart profile" data-testid={radar ? 'radar' : 'dot-plot'}>
      <div ref={frame} class="profile-frame">
        {radar ? <Radar {...props} width={width} /> : <DotPlot {...props} width={width} />}
      </div>
      <Legend profiles={props.profiles} />
      <Twin {...props} />
    </figure>
  );
}
