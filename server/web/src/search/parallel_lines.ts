import type { Ink } from '../chart/canvas';
import { type Dimension, positionOn } from './dimensions';
import { classOf, quantile } from './series';

export const kRamp = 6; // colours of the estimate, custom properties ramp-0 to ramp-5

/** The estimates that the ramp spans: the lowest tenth shares its first colour, so that the others differ. */
export function rampOf(estimates: readonly (number | null)[]): [number, number] | null {
  const low = quantile(estimates, 0.1);
  const high = quantile(estimates, 1);
  return low === null || high === null ? null : [low, high];
}

/** Polylines over axes in pixels, with the class of colour of each. Where the axes stand comes when drawing. */
export interface Lines {
  y: Float32Array[]; // by axis; NaN where a row has no value
  rows: Uint32Array; // in drawing order: the best on top
  tone: Uint8Array; // by row; kRamp for rows without an estimate
}

function heightsOf(dimension: Dimension, top: number, bottom: number): Float32Array {
  const { at } = dimension;
  const heights = new Float32Array(at.length);
  for (let row = 0; row < at.length; row += 1)
    heights[row] = bottom - positionOn(dimension, at[row]!) * (bottom - top);
  return heights;
}

export function linesOf(
  dimensions: readonly Dimension[],
  estimates: readonly (number | null)[],
  top: number,
  bottom: number,
): Lines {
  const [low, high] = rampOf(estimates) ?? [0, 1];
  const count = estimates.length;
  const rows = new Uint32Array(count);
  const tone = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) {
    const estimate = estimates[row] ?? null;
    rows[row] = row;
    tone[row] = estimate === null ? kRamp : classOf(estimate, low, high, kRamp);
  }
  const order = (row: number) => estimates[row] ?? -1;
  rows.sort((a, b) => order(a) - order(b) || a - b);
  return { y: dimensions.map((dimension) => heightsOf(dimension, top, bottom)), rows, tone };
}

function trace(
  context: CanvasRenderingContext2D,
  x: readonly number[],
  { y }: Lines,
  row: number,
): void {
  let pen = false;
  for (let axis = 0; axis < x.length; axis += 1) {
    const at = y[axis]![row]!;
    if (!Number.isFinite(at)) {
      pen = false;
    } else if (pen) {
      context.lineTo(x[axis]!, at);
    } else {
      context.moveTo(x[axis]!, at);
      pen = true;
    }
  }
}

const kPiece = 20; // lines a path: measured, longer and shorter ones take longer

/** Draws the lines that `wanted` lets through, each colour's in pieces. */
export function drawLines(
  context: CanvasRenderingContext2D,
  x: readonly number[], // of the axes
  lines: Lines,
  ink: Ink,
  alpha: number,
  wanted: (row: number) => boolean,
  plain: string | null, // one colour for all
): void {
  context.lineWidth = 1;
  context.globalAlpha = alpha;
  const inks = Array.from({ length: kRamp + 1 }, (_, i) =>
    ink(plain ?? (i === kRamp ? 'bad' : `ramp-${i}`)),
  );
  let tone = -1;
  let open = 0;
  const finish = () => {
    if (open > 0) context.stroke();
    open = 0;
  };
  for (const row of lines.rows) {
    if (!wanted(row)) continue;
    const own = plain === null ? lines.tone[row]! : 0;
    if (own !== tone || open >= kPiece) {
      finish();
      tone = own;
      context.strokeStyle = inks[own]!;
      context.beginPath();
    }
    trace(context, x, lines, row);
    open += 1;
  }
  finish();
  context.globalAlpha = 1;
}
