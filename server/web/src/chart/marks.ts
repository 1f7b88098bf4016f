import type { Standing } from '../api/types';
import type { Ink } from './canvas';

/** Points in pixels with how each is drawn. */
export interface Marks {
  x: Float32Array;
  y: Float32Array;
  standing: readonly Standing[];
  weight: Float32Array; // 0 to 1: how much stands behind a point
}

/** Colour and shape of each standing; the shapes alone tell them apart. */
export const kStandingInk: Record<Standing, string> = {
  racing: 'series-1',
  'set aside': 'series-4',
  eliminated: 'muted',
  failed: 'bad',
};

const kOpacities = 4;
const kTurn = 2 * Math.PI;

/** One mark of a standing, as a subpath. Hollow shapes are stroked, the disc is filled. */
function trace(context: CanvasRenderingContext2D, standing: Standing, x: number, y: number): void {
  switch (standing) {
    case 'racing':
      context.moveTo(x + 3.5, y);
      context.arc(x, y, 3.5, 0, kTurn);
      break;
    case 'set aside':
      context.rect(x - 3, y - 3, 6, 6);
      break;
    case 'eliminated':
      context.moveTo(x - 2.5, y - 2.5);
      context.lineTo(x + 2.5, y + 2.5);
      context.moveTo(x - 2.5, y + 2.5);
      context.lineTo(x + 2.5, y - 2.5);
      break;
    default:
      context.moveTo(x, y - 3.5);
      context.lineTo(x + 3.5, y + 3);
      context.lineTo(x - 3.5, y + 3);
      context.closePath();
  }
}

const kSize = 12; // CSS pixels of a mark with its margin

/** One mark as a picture: thousands of copies are much quicker than thousands of paths. */
function pictureOf(standing: Standing, colour: string, ratio: number): HTMLCanvasElement {
  const picture = document.createElement('canvas');
  picture.width = picture.height = Math.ceil(kSize * ratio);
  const context = picture.getContext('2d');
  if (!context) return picture;
  context.scale(ratio, ratio);
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = standing === 'eliminated' ? 1.2 : 1.6;
  context.beginPath();
  trace(context, standing, kSize / 2, kSize / 2);
  if (standing === 'racing') context.fill();
  else context.stroke();
  return picture;
}

function drawGroup(
  context: CanvasRenderingContext2D,
  marks: Marks,
  rows: readonly number[],
  picture: HTMLCanvasElement,
  ratio: number,
): void {
  for (const row of rows) {
    // At whole pixels of the screen, else the copy is blurred.
    const x = Math.round((marks.x[row]! - kSize / 2) * ratio) / ratio;
    const y = Math.round((marks.y[row]! - kSize / 2) * ratio) / ratio;
    context.drawImage(picture, x, y, picture.width / ratio, picture.height / ratio);
  }
}

/** Draws all marks, those that matter most last and so on top. */
export function drawMarks(context: CanvasRenderingContext2D, marks: Marks, ink: Ink): void {
  const groups = new Map<string, number[]>();
  marks.standing.forEach((standing, row) => {
    if (!Number.isFinite(marks.x[row]!) || !Number.isFinite(marks.y[row]!)) return;
    const level = Math.min(kOpacities - 1, Math.floor(marks.weight[row]! * kOpacities));
    const key = `${standing} ${level}`;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  });
  const ratio = context.getTransform().a;
  // Thousands run together; fainter, their density still shows.
  const most = Math.max(0.35, Math.min(1, 40 / Math.sqrt(Math.max(1, marks.x.length))));
  for (const standing of ['eliminated', 'failed', 'set aside', 'racing'] as const) {
    const picture = pictureOf(standing, ink(kStandingInk[standing]), ratio);
    for (let level = 0; level < kOpacities; level += 1) {
      const rows = groups.get(`${standing} ${level}`);
      if (!rows) continue;
      context.globalAlpha = most * (0.4 + (0.6 * (level + 1)) / kOpacities);
      drawGroup(context, marks, rows, picture, ratio);
    }
  }
  context.globalAlpha = 1;
}
