import type { Resource } from '../api/use_resource';
import { type FactGroup, readRecipe } from '../recipe/recipe_facts';
import { ProblemPanel } from '../ui/problem_panel';
import { Loading } from '../ui/states';
import { TableScroll } from '../ui/table_scroll';

function Facts({ text }: { text: string }) {
  const { facts, fault } = readRecipe(text);
  if (fault !== '') return <p class="text-bad">The recipe cannot be read: {fault}</p>;
  const first = (group: FactGroup) => facts.findIndex((fact) => fact.group === group);
  return (
    <TableScroll label="The recipe as a table">
      <table class="plain fact-table" data-testid="recipe-facts">
        <thead>
          <tr>
            <th scope="col">Part</th>
            <th scope="col">What</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {facts.map((fact, i) => (
            <tr key={fact.key}>
              <td class="muted">{first(fact.group) === i ? fact.group : ''}</td>
              <th scope="row">{fact.label}</th>
              <td class="wraps">{fact.value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

/** What the recipe says, and its text. */
export function ModelRecipe({ recipe }: { recipe: Resource<string | null> }) {
  return (
    <section class="part" aria-labelledby="recipe-title">
      <h2 id="recipe-title">Recipe</h2>
      {recipe.problem && <ProblemPanel problem={recipe.problem} onRetry={recipe.reload} />}
      {recipe.data === null && !recipe.problem && <Loading what="the recipe" />}
      {recipe.data !== null && (
        <>
          <Facts text={recipe.data} />
          <details open>
            <summary>As it was submitted</summary>
            <pre class="code-block" tabIndex={0}>
              {recipe.data}
            </pre>
          </details>
        </>
      )}
    </section>
  );
}
