import type { RefObject } from 'preact';

interface Props {
  id?: string;
  placeholder?: string;
  value: string;
  marked: ReadonlySet<number>; // lines with a fault, from 1
  warned: ReadonlySet<number>;
  area: RefObject<HTMLTextAreaElement | null>;
  describedBy: string;
  onInput: (text: string) => void;
}

const kLeastLines = 16;
const kPlaceholder = `merge_method: slerp
base_model: first
models:
  - model: first
  - model: second
parameters:
  t: 0.5`;

/** Selects a line in the textarea and brings it into view. */
export function goToLine(area: HTMLTextAreaElement | null, line: number): void {
  if (!area) return;
  const lines = area.value.split('\n');
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}

/** A textarea as tall as its text, with line numbers; lines with faults are banded. */
export function RecipeEditor(props: Props) {
  const { value, marked, warned, area, describedBy, onInput } = props;
  const count = Math.max(kLeastLines, value.split('\n').length);
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const tone = (line: number) =>
    marked.has(line) ? 'is-bad' : warned.has(line) ? 'is-warned' : '';
  return (
    <div class="editor">
      <div class="editor-lines" aria-hidden="true">
        {numbers.map((line) => (
          <div key={line} class={`editor-line ${tone(line)}`} data-line={line}>
            <span>{line}</span>
          </div>
        ))}
      </div>
      <textarea
        id={props.id ?? 'recipe'}
        ref={area}
        class="editor-text"
        rows={count}
        value={value}
        placeholder={props.placeholder ?? kPlaceholder}
        wrap="off"
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        aria-invalid={marked.size > 0}
        aria-describedby={describedBy}
        onInput={(e) => onInput(e.currentTarget.value)}
      />
    </div>
  );
}
