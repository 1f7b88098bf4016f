import { diffLines } from 'diff';

/** A line of two texts set against each other, with its number (from 1) in each where it is there. */
export interface DiffLine {
  kind: 'same' | 'removed' | 'added';
  before: number | null;
  after: number | null;
  text: string;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop(); // the end of the last line is no line
  return lines;
}

/** Line by line, from `before` to `after`; line ends (CRLF or LF) make no difference. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const normal = (text: string) => {
    const unix = text.replace(/\r\n?/g, '\n');
    return unix === '' || unix.endsWith('\n') ? unix : `${unix}\n`;
  };
  const result: DiffLine[] = [];
  let [left, right] = [1, 1];
  for (const part of diffLines(normal(before), normal(after))) {
    for (const text of linesOf(part.value)) {
      if (part.added) result.push({ kind: 'added', before: null, after: right++, text });
      else if (part.removed) result.push({ kind: 'removed', before: left++, after: null, text });
      else result.push({ kind: 'same', before: left++, after: right++, text });
    }
  }
  return result;
}
