import { useRef } from 'preact/hooks';
import type { Fault } from '../api/types';
import { lineOfFault } from '../recipe/line_finder';
import { change, draft, verdict } from './draft';
import { goToLine, RecipeEditor } from './recipe_editor';
import { faultsOf, VerdictPanel } from './verdict_panel';

/** Only faults of the recipe have a line in it; those of the request's other members do not. */
function linesOf(text: string, faults: Fault[]): (number | null)[] {
  return faults.map((fault) =>
    fault.pointer && !fault.pointer.startsWith('#/recipe') && fault.pointer !== '#'
      ? null
      : lineOfFault(text, fault.path, fault.message),
  );
}

function lineSet(text: string, faults: Fault[] | undefined): Set<number> {
  return new Set(linesOf(text, faults ?? []).filter((line) => line !== null));
}

/** The editor and, while it is about this very text, what the server said of it. */
export function RecipeSection() {
  const area = useRef<HTMLTextAreaElement>(null);
  const { recipe } = draft.value;
  const shown = verdict.value && verdict.value.of === recipe ? verdict.value : null;
  return (
    <>
      <label class="field-label" for="recipe">
        Recipe, YAML as mergekit reads it
      </label>
      <RecipeEditor
        value={recipe}
        marked={lineSet(recipe, faultsOf(shown?.problem ?? null))}
        warned={lineSet(recipe, shown?.preflight?.warnings)}
        area={area}
        describedBy="verdict"
        onInput={(text) => change({ recipe: text })}
      />
      <div id="verdict">
        {shown && (
          <VerdictPanel
            preflight={shown.preflight}
            problem={shown.problem}
            lines={(faults) => linesOf(recipe, faults)}
            onLine={(line) => goToLine(area.current, line)}
          />
        )}
      </div>
    </>
  );
}
