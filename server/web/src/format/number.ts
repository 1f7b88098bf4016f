// Numbers as text. U+2212 is the minus sign, U+2009 and U+202F are thin spaces (the latter unbreakable).

const kMinus = '\u2212';
const kThin = '\u202f';
export const kNone = '\u2013';

/** A share as percent with one decimal, without the sign "%": 0.5897 → "59.0". */
export function percent(share: number): string {
  const text = (share * 100).toFixed(1);
  return text.replace('-', kMinus);
}

/** A difference of shares in percentage points with its sign: 0.032 → "+3.2". */
export function signedPercent(share: number): string {
  const text = Math.abs(share * 100).toFixed(1);
  if (Number(text) === 0) return '0.0';
  return (share < 0 ? kMinus : '+') + text;
}

function scaled(value: number, steps: readonly string[], base: number): string {
  let step = 0;
  let rest = value;
  while (rest >= base && step < steps.length - 1) {
    rest /= base;
    step += 1;
  }
  if (step === 0) return `${Math.round(rest)}${kThin}${steps[0]}`;
  const digits = rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)}${kThin}${steps[step]}`;
}

/** Decimal units: 2716672 → "2.72 MB". */
export function bytes(value: number): string {
  return scaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], 1000);
}

/** Large counts: 1350000 → "1.35 M". */
export function count(value: number): string {
  return value < 10000 ? String(value) : scaled(value, ['', 'k', 'M', 'B', 'T'], 1000).trim();
}

/** A parameter's value with at most `digits` decimals and no trailing zeros: 0.30000000000000004 → "0.3". */
export function plain(value: number, digits = 4): string {
  return String(Number(value.toFixed(digits))).replace('-', kMinus);
}

export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}
