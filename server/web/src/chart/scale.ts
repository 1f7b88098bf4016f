/** A straight map from a domain of values to a range of pixels. */
export interface Scale {
  (value: number): number;
  domain: [number, number];
}

export function linearScale(domain: [number, number], range: [number, number]): Scale {
  const width = domain[1] - domain[0];
  const map = (value: number) =>
    width === 0
      ? (range[0] + range[1]) / 2
      : range[0] + ((value - domain[0]) / width) * (range[1] - range[0]);
  return Object.assign(map, { domain });
}

/** A step of 1, 2 or 5 times a power of ten that gives about `count` steps over `width`. */
export function niceStep(width: number, count: number): number {
  if (!(width > 0)) return 1;
  const raw = width / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / power;
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
}

/** Round numbers within [low, high]. */
export function ticks(low: number, high: number, count: number): number[] {
  const step = niceStep(high - low, count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const decimals = Math.max(0, -Math.floor(Math.log10(step)));
  const result: number[] = [];
  for (let i = first; i <= last; i += 1) result.push(Number((i * step).toFixed(decimals)));
  return result;
}

/** The values' extent widened to round steps and kept within [0, 1]: the y axis of shares. */
export function shareDomain(values: number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const step = niceStep(Math.max(high - low, 0.05), 5);
  return [
    Math.max(0, Math.floor(low / step - 1e-9) * step),
    Math.min(1, Math.ceil(high / step + 1e-9) * step),
  ];
}

/** Index of the entry nearest to `target`; -1 for none. */
export function nearest(values: number[], target: number): number {
  let best = -1;
  values.forEach((value, index) => {
    if (best < 0 || Math.abs(value - target) < Math.abs(values[best]! - target)) best = index;
  });
  return best;
}
