import { useRef } from 'preact/hooks';
import { coordinateAt, coordinateText, type Dimension, positionOn } from './dimensions';
import type { Stretch } from './brush';
import { cut } from './texts';

interface Props {
  axis: Dimension;
  x: number;
  top: number;
  bottom: number;
  room: number; // pixels to the next axis
  edge: 'first' | 'last' | null; // there its name begins or ends where the chart does
  raised: boolean; // its name stands a line higher, so that neighbours have room
  stretch: Stretch | null;
  onStretch: (stretch: Stretch | null) => void;
}

const kReach = 16; // pixels to each side that take a drag
const kClick = 4; // a drag shorter than this clears

function labelsOf(axis: Dimension): number[] {
  if (axis.kind === 'number') return axis.low === axis.high ? [axis.low] : [axis.low, axis.high];
  const step = Math.max(1, Math.ceil(axis.labels.length / 12));
  return axis.labels.flatMap((_, i) => (i % step === 0 ? [i] : []));
}

/** An axis with its ends, and the stretch that a drag along it has chosen. */
export function BrushAxis({ axis, x, top, bottom, room, edge, raised, stretch, onStretch }: Props) {
  const from = useRef<number | null>(null);
  const zone = useRef<SVGRectElement>(null);
  const y = (coordinate: number) => bottom - positionOn(axis, coordinate) * (bottom - top);
  const heightOf = (event: PointerEvent) => {
    const box = zone.current!.getBoundingClientRect();
    return Math.max(top, Math.min(bottom, event.clientY - box.top + top - 6));
  };
  const coordinate = (height: number) => coordinateAt(axis, (bottom - height) / (bottom - top));
  const drag = (event: PointerEvent) => {
    if (from.current === null) return;
    const to = heightOf(event);
    if (Math.abs(to - from.current) < kClick) return;
    const [high, low] = [Math.min(to, from.current), Math.max(to, from.current)];
    onStretch({ low: coordinate(low), high: coordinate(high) });
  };
  const ends = stretch ? [y(stretch.high), y(stretch.low)] : null;
  const letters = Math.max(6, Math.floor((room * 2 - 12) / 7));
  return (
    <g class="brush-axis" data-axis={axis.name}>
      <text
        class="axis-title"
        x={edge === 'first' ? 0 : edge === 'last' ? x + 60 : x}
        y={top - (raised ? 40 : 22)}
        text-anchor={edge === 'first' ? 'start' : edge === 'last' ? 'end' : 'middle'}
      >
        {cut(axis.name, letters)}
        <title>{axis.name}</title>
      </text>
      <line class="axis" x1={x} x2={x} y1={top} y2={bottom} />
      {labelsOf(axis).map((at) => {
        const end = axis.kind === 'number';
        const low = at === axis.low;
        return (
          <text
            key={at}
            class="tick halo"
            x={end ? x : x + 7}
            y={end ? (low ? bottom + 16 : top - 7) : y(at)}
            dy={end ? undefined : '0.32em'}
            text-anchor={end ? 'middle' : 'start'}
          >
            {cut(coordinateText(axis, at), Math.max(5, Math.floor(room / 8)))}
          </text>
        );
      })}
      {ends && (
        <rect
          class="brush"
          x={x - 7}
          width="14"
          y={Math.max(top, ends[0]!)}
          height={Math.max(2, Math.min(bottom, ends[1]!) - Math.max(top, ends[0]!))}
        />
      )}
      <rect
        ref={zone}
        class="brush-zone"
        x={x - kReach}
        width={2 * kReach}
        y={top - 6}
        height={bottom - top + 12}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          from.current = heightOf(event);
        }}
        onPointerMove={drag}
        onPointerUp={(event) => {
          if (from.current !== null && Math.abs(heightOf(event) - from.current) < kClick)
            onStretch(null);
          from.current = null;
        }}
        onPointerCancel={() => {
          from.current = null;
        }}
      />
    </g>
  );
}
