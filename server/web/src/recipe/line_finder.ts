// Finds the line of a YAML text that a fault's path speaks of. Best effort, for block style; inside flow
// style ({…}, […]) the line where the flow begins is given. It marks lines for people and decides nothing.

export type Step = string | number;

/** `slices[2].sources[0].layer_range` → ["slices", 2, "sources", 0, "layer_range"]. */
export function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  const pattern = /\[(\d+)\]|\["([^"]*)"\]|\['([^']*)'\]|([^.[\]]+)/g;
  for (const match of path.matchAll(pattern)) {
    if (match[1] !== undefined) steps.push(Number(match[1]));
    else steps.push(match[2] ?? match[3] ?? match[4] ?? '');
  }
  return steps;
}

interface Token {
  line: number; // from 1
  indent: number;
  dash: boolean; // a sequence entry's "-"
  key: string | null; // of "key: …"
}

const kKey = /^(?:"([^"]*)"|'([^']*)'|([^\s:#{}[\],&*!|>'"][^:#{}[\],]*?))\s*:(?:\s|$)/;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  text.split('\n').forEach((raw, index) => {
    let rest = raw.trimEnd();
    let indent = rest.length - rest.trimStart().length;
    rest = rest.trimStart();
    if (rest === '' || rest.startsWith('#') || rest === '---') return;
    while (/^-(\s|$)/.test(rest)) {
      tokens.push({ line: index + 1, indent, dash: true, key: null });
      const after = rest.slice(1);
      indent += 1 + (after.length - after.trimStart().length);
      rest = after.trimStart();
    }
    if (rest === '') return;
    const match = kKey.exec(rest);
    const key = match ? (match[1] ?? match[2] ?? match[3] ?? null) : null;
    tokens.push({ line: index + 1, indent, dash: false, key });
  });
  return tokens;
}

/** End (exclusive) of the block that the token at `at` opens, within [at, end). */
function blockEnd(tokens: Token[], at: number, end: number): number {
  const head = tokens[at]!;
  const next = tokens[at + 1];
  // YAML lets a sequence stand at its key's own indentation.
  const level = !head.dash && next?.dash === true && next.indent === head.indent;
  let i = at + 1;
  while (i < end) {
    const token = tokens[i]!;
    if (token.indent < head.indent) break;
    if (token.indent === head.indent && !(level && token.dash)) break;
    i += 1;
  }
  return i;
}

function findStep(tokens: Token[], start: number, end: number, step: Step): number {
  const indent = tokens[start]?.indent;
  let entry = -1;
  for (let i = start; i < end; i += 1) {
    const token = tokens[i]!;
    if (token.indent !== indent) continue;
    if (typeof step === 'string') {
      if (token.key === step) return i;
    } else if (token.dash) {
      entry += 1;
      if (entry === step) return i;
    }
  }
  return -1;
}

/** Line (from 1) of the deepest part of `path` that the text has; null when not even its first is there. */
export function findLine(text: string, path: string): number | null {
  const tokens = tokenize(text);
  let start = 0;
  let end = tokens.length;
  let line: number | null = null;
  const steps = parsePath(path);
  if (steps[0] === 'recipe' && findStep(tokens, 0, end, 'recipe') < 0) steps.shift();
  for (const step of steps) {
    if (start >= end) break;
    const found = findStep(tokens, start, end, step);
    if (found < 0) break;
    line = tokens[found]!.line;
    end = blockEnd(tokens, found, end);
    start = found + 1;
  }
  return line;
}

const kSaid = /^line (\d+)(?:, column \d+)?:\s*/i;

/** The line that the server's message begins with ("line 9: …"), else the one that the path leads to. */
export function lineOfFault(text: string, path: string, message: string): number | null {
  const said = Number(kSaid.exec(message)?.[1] ?? 0);
  if (said >= 1 && said <= text.split('\n').length) return said;
  return path === '' ? null : findLine(text, path);
}

/** The message without the line it begins with, for where the line is shown beside it. */
export function withoutLine(message: string): string {
  return message.replace(kSaid, '');
}
