import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import { useRefresh } from '../live/use_refresh';
import { Badge } from '../ui/badge';
import { ProblemPanel } from '../ui/problem_panel';
import { Loading } from '../ui/states';
import { EvaluateForm } from './evaluate_form';
import { LoadedDetail } from './model_detail';

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
  const { name, origin, merge_method, children } = model.data;
  return (
    <>
      <div class="view-head">
        <h1>{name}</h1>
        <Badge>{origin === 'merged' ? merge_method : origin}</Badge>
        {children.length > 0 && <Badge tone="accent">parent</Badge>}
      </div>
      <LoadedDetail model={model.data} />
      <EvaluateForm model={name} />
    </>
  );
}
