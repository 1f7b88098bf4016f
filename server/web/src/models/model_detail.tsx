import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Model } from '../api/types';
import { ProblemPanel } from '../ui/problem_panel';
import { Loading } from '../ui/states';
import { ModelFacts } from './model_facts';
import { TaskScores } from './task_scores';

/** A model's facts, recipe, lineage and scores by task; in a leaderboard row and on the model's page. */
export function ModelDetail({ id }: { id: number }) {
  const model = useResource(`model ${id}`, (signal) => api.model(id, signal));
  if (!model.data) {
    return model.problem ? (
      <ProblemPanel problem={model.problem} onRetry={model.reload} />
    ) : (
      <Loading what="the model" />
    );
  }
  return <LoadedDetail model={model.data} />;
}

export function LoadedDetail({ model }: { model: Model }) {
  const scores = useResource(`scores ${model.id}`, (signal) => api.evaluations(model.id, signal));
  return (
    <div class="detail">
      <section aria-label="Facts">
        <ModelFacts model={model} />
      </section>
      {model.origin === 'merged' && <RecipeText id={model.id} />}
      <section aria-label="Scores by task">
        <h3>Scores by task</h3>
        {scores.problem && <ProblemPanel problem={scores.problem} onRetry={scores.reload} />}
        {scores.data ? <TaskScores evaluations={scores.data.items} /> : <Loading what="scores" />}
      </section>
    </div>
  );
}

function RecipeText({ id }: { id: number }) {
  const recipe = useResource(`recipe ${id}`, (signal) => api.modelRecipe(id, signal));
  return (
    <section aria-label="Recipe">
      <h3>Recipe</h3>
      {recipe.problem && <ProblemPanel problem={recipe.problem} onRetry={recipe.reload} />}
      {recipe.data !== null && <pre class="code-block">{recipe.data}</pre>}
    </section>
  );
}
