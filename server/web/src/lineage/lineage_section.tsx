import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Model } from '../api/types';
import { ModelLink, ModelLinks } from '../ui/model_link';
import { ProblemPanel } from '../ui/problem_panel';
import { Loading } from '../ui/states';
import { type Ancestry, ancestryOf } from './ancestry';
import { LineageChart } from './lineage_chart';

function Twin({ ancestry }: { ancestry: Ancestry }) {
  return (
    <details>
      <summary>The graph as a list</summary>
      <ul class="lineage-list" data-testid="lineage-list">
        {ancestry.models.map((model) => (
          <li key={model.id}>
            <ModelLink model={model} />:{' '}
            {model.parents.length > 0 ? (
              <>
                {model.merge_method} of <ModelLinks models={model.parents} />
              </>
            ) : (
              'registered from a folder'
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Lineage({ ancestry, id }: { ancestry: Ancestry; id: number }) {
  return (
    <>
      <LineageChart ancestry={ancestry} id={id} />
      {ancestry.unread.length > 0 && (
        <p class="text-bad">Not to be had: {ancestry.unread.map(({ name }) => name).join(', ')}.</p>
      )}
      {ancestry.cut && <p class="muted">There are more ancestors than are drawn here.</p>}
      <Twin ancestry={ancestry} />
    </>
  );
}

/** A model's ancestors, as far back as they are known. */
export function LineageSection({ model }: { model: Model }) {
  const key = `lineage ${model.id} ${model.parents.map(({ id }) => id).join(' ')}`;
  const ancestry = useResource(key, (signal) => ancestryOf(model, (id) => api.model(id, signal)));
  return (
    <section class="part" aria-labelledby="lineage-title">
      <h2 id="lineage-title">Lineage</h2>
      {ancestry.problem && <ProblemPanel problem={ancestry.problem} onRetry={ancestry.reload} />}
      {!ancestry.data && !ancestry.problem && <Loading what="ancestors" />}
      {ancestry.data &&
        (model.parents.length === 0 ? (
          <p class="muted">Registered from a folder: what it was made from is not known here.</p>
        ) : (
          <Lineage ancestry={ancestry.data} id={model.id} />
        ))}
    </section>
  );
}
