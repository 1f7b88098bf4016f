import { useRef } from 'preact/hooks';
import type { Fault } from '../api/types';
import { lineOfFault } from '../recipe/line_finder';
import { change, documentVerdict, draft } from './draft';
import { goToLine, RecipeEditor } from './recipe_editor';
import { faultsOf, VerdictPanel } from './verdict_panel';

const kPlaceholder = `recipe:
  merge_method: slerp
  base_model: first
  models: [{model: first}, {model: second}]
  parameters: {t: 0.5}
space:
  parameters.t: {float: [0, 1]}
suites: [words]
budget: {trials: 12}`;

/** The request's paths begin with the member that has the document. */
export function withinDocument(path: string): string {
  return path === 'document' ? '' : path.replace(/^document\./, '');
}

function linesOf(text: string, faults: Fault[]): (number | null)[] {
  return faults.map(({ path, pointer, message }) =>
    pointer && !pointer.startsWith('#/document') && pointer !== '#'
      ? null
      : lineOfFault(text, withinDocument(path), message),
  );
}

/** The sweep document and, while it is about this very text, what the server said of it. */
export function DocumentSection() {
  const area = useRef<HTMLTextAreaElement>(null);
  const { document: text } = draft.value;
  const shown = documentVerdict.value?.of === text ? documentVerdict.value.problem : null;
  const marked = linesOf(text, faultsOf(shown)).filter((line) => line !== null);
  return (
    <>
      <label class="field-label" for="document">
        Sweep document, YAML or JSON: a recipe, the space of its values, suites, a budget
      </label>
      <RecipeEditor
        id="document"
        placeholder={kPlaceholder}
        value={text}
        marked={new Set(marked)}
        warned={new Set()}
        area={area}
        describedBy="document-verdict"
        onInput={(next) => change({ document: next })}
      />
      <div id="document-verdict">
        {shown && (
          <VerdictPanel
            preflight={null}
            problem={shown}
            lines={(faults) => linesOf(text, faults)}
            onLine={(line) => goToLine(area.current, line)}
          />
        )}
      </div>
    </>
  );
}
