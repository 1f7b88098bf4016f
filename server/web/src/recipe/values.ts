export const kMostPoints = 200;

/** `points` values from `from` to `to`, both included, without binary noise: (0, 1, 3) → [0, 0.5, 1]. */
export function spread(from: number, to: number, points: number): number[] {
  if (![from, to, points].every(Number.isFinite) || points < 1 || points > kMostPoints) return [];
  const whole = Math.floor(points);
  if (whole === 1) return [from];
  return Array.from({ length: whole }, (_, i) =>
    Number((from + ((to - from) * i) / (whole - 1)).toPrecision(12)),
  );
}

/** The template with every `${name}` replaced; unchanged when the parameter is a path into the recipe. */
export function fillPlaceholder(template: string, name: string, value: number): string {
  return template.split('${' + name + '}').join(String(value));
}
