export interface Point {
  x: number;
  y: number;
}

/** The end of spoke `index` of `count` at `radius` from the centre; the first points up, then clockwise. */
export function spoke(index: number, count: number, radius: number): Point {
  const angle = (2 * Math.PI * index) / count - Math.PI / 2;
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
}

/** Runs of neighbouring spokes that have a value; one closed run where all have. */
export interface Outline {
  points: Point[];
  closed: boolean;
}

export function outlines(values: (number | null)[], radius: number): Outline[] {
  const count = values.length;
  const at = (i: number) => spoke(i, count, radius * (values[i] ?? 0));
  const gap = values.indexOf(null);
  if (gap < 0) return [{ points: values.map((_, i) => at(i)), closed: true }];
  const runs: Outline[] = [];
  let run: Point[] = [];
  for (let step = 1; step <= count; step += 1) {
    const i = (gap + step) % count;
    if (values[i] !== null) run.push(at(i));
    else {
      if (run.length > 0) runs.push({ points: run, closed: false });
      run = [];
    }
  }
  return runs;
}

export function pathOf({ points, closed }: Outline): string {
  const text = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`);
  return text.join('') + (closed ? 'Z' : '');
}
