import { Marker } from '../chart/marker';
import type { Scale } from '../chart/scale';
import { percent, plain } from '../format/number';
import { interval } from '../stats/delta';
import type { Series } from './series';

interface Props {
  series: Series;
  shift: number; // pixels aside, so that error bars of several lines do not cover each other
  x: Scale;
  y: Scale;
  best: number | null; // index of the best trial, to be ringed
  onPoint: (trial: number | null) => void;
}

function describe(series: Series, point: Series['points'][number]): string {
  const range = interval(point.score);
  const text = `${series.column} ${percent(point.score.value)} % at ${plain(point.value)}`;
  return range ? `${text}, 95 % interval ${percent(range.low)} to ${percent(range.high)} %` : text;
}

/** A line, its points and their error bars. */
export function SeriesMarks({ series, shift, x, y, best, onPoint }: Props) {
  const path = series.points
    .map((point, i) => `${i === 0 ? 'M' : 'L'}${x(point.value) + shift} ${y(point.score.value)}`)
    .join('');
  return (
    <g class={`series series-${series.index % 7}`} data-series={series.column}>
      <path class="series-line" d={path} />
      {series.points.map((point) => {
        const range = interval(point.score);
        const px = x(point.value) + shift;
        const py = y(point.score.value);
        return (
          <g
            key={point.trial}
            class="point"
            data-trial={point.trial}
            tabIndex={0}
            role="img"
            aria-label={describe(series, point)}
            onFocus={() => onPoint(point.trial)}
            onBlur={() => onPoint(null)}
          >
            {range && (
              <path
                class="error-bar"
                d={`M${px} ${y(range.low)}V${y(range.high)}M${px - 4} ${y(range.low)}h8M${px - 4} ${y(range.high)}h8`}
              />
            )}
            {point.trial === best && <circle class="best-ring" cx={px} cy={py} r="9" />}
            <Marker x={px} y={py} shape={series.index} />
          </g>
        );
      })}
    </g>
  );
}
