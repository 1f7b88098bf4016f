import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Evaluation, Model } from '../api/types';
import { compareHash, kMostModels } from '../compare/compare_query';
import { LineageSection } from '../lineage/lineage_section';
import { useRefresh } from '../live/use_refresh';
import { navigate } from '../route/router';
import { change, verdict } from '../submit/draft';
import { Badge } from '../ui/badge';
import { ProblemPanel } from '../ui/problem_panel';
import { Empty, Loading } from '../ui/states';
import { ArtefactSection } from './artefact_section';
import { CostTable } from './cost_table';
import { EvaluateForm } from './evaluate_form';
import { ItemSection } from './item_section';
import { ModelRecipe } from './model_recipe';
import { ParentScores } from './parent_scores';
import { TaskScores } from './task_scores';

/** Opens the submit view with the recipe, to be changed there. */
function vary(recipe: string): void {
  change({ mode: 'merge', recipe, name: '' });
  verdict.value = null;
  navigate('#/submit');
}

/** The model with what it is usually compared with: its parents, else its children. */
function company({ id, parents, children }: Model): number[] {
  const others = parents.length > 0 ? parents : children;
  return [id, ...others.map((other) => other.id)].slice(0, kMostModels);
}

function Head({ model, recipe }: { model: Model; recipe: string | null }) {
  const { name, origin, merge_method, parents, children } = model;
  const ids = company(model);
  return (
    <div class="view-head">
      <h1>{name}</h1>
      <Badge>{origin === 'merged' ? merge_method : origin}</Badge>
      {children.length > 0 && <Badge tone="accent">parent</Badge>}
      <span class="view-actions">
        {recipe !== null && (
          <button type="button" class="button primary" onClick={() => vary(recipe)}>
            Make a variation
          </button>
        )}
        <a class="button" href={compareHash(ids, ids[parents.length > 0 ? 1 : 0])}>
          {parents.length > 0 ? 'Compare with its parents' : 'Compare'}
        </a>
      </span>
    </div>
  );
}

function Scores({ model, evaluations }: { model: Model; evaluations: Evaluation[] }) {
  if (evaluations.length === 0)
    return (
      <section class="part" aria-label="Scores">
        <Empty title="Not scored on any suite yet">
          <p>Choose suites below; scores, intervals and every item’s answer appear here.</p>
        </Empty>
      </section>
    );
  return (
    <>
      {model.parents.length > 0 && <ParentScores model={model} evaluations={evaluations} />}
      <section class="part" aria-labelledby="tasks-title">
        <h2 id="tasks-title">Scores by task</h2>
        <TaskScores evaluations={evaluations} />
      </section>
      <ItemSection evaluations={evaluations} name={model.name} />
      <CostTable evaluations={evaluations} />
    </>
  );
}

/** A merged model's recipe; null of one that was registered. */
async function recipeOf(model: Model | null, signal: AbortSignal): Promise<string | null> {
  return model?.origin === 'merged' ? api.modelRecipe(model.id, signal) : null;
}

function LoadedView({ model }: { model: Model }) {
  const recipe = useResource(`recipe ${model.id}`, (signal) => recipeOf(model, signal));
  const scores = useResource(`scores ${model.id}`, (signal) => api.evaluations(model.id, signal));
  useRefresh(scores.reload, (event) => event.type === 'state' && event.state === 'succeeded');
  return (
    <>
      <Head model={model} recipe={recipe.data} />
      <ArtefactSection model={model} />
      <LineageSection model={model} />
      {model.origin === 'merged' && <ModelRecipe recipe={recipe} />}
      {scores.problem && <ProblemPanel problem={scores.problem} onRetry={scores.reload} />}
      {scores.data ? (
        <Scores model={model} evaluations={scores.data.items} />
      ) : (
        !scores.problem && <Loading what="scores" />
      )}
      <EvaluateForm model={model.name} />
    </>
  );
}

/** All there is to know about a model. */
export function ModelView({ id }: { id: number }) {
  const model = useResource(`model ${id}`, (signal) => api.model(id, signal));
  useRefresh(model.reload, (event) => event.type === 'state' && event.state === 'succeeded');
  if (!model.data) {
    return model.problem ? (
      <ProblemPanel problem={model.problem} onRetry={model.reload} />
    ) : (
      <Loading what="the model" />
    );
  }
  return (
    <>
      {model.problem && <ProblemPanel problem={model.problem} onRetry={model.reload} />}
      <LoadedView model={model.data} />
    </>
  );
}
