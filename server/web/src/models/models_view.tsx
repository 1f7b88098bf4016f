import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { Model } from '../api/types';
import { bytes, count, shortDigest } from '../format/number';
import { useRefresh } from '../live/use_refresh';
import { Badge } from '../ui/badge';
import { ModelLink, ModelLinks } from '../ui/model_link';
import { ProblemPanel } from '../ui/problem_panel';
import { Empty, Loading } from '../ui/states';
import { TableScroll } from '../ui/table_scroll';
import { TimeAgo } from '../ui/time_ago';
import { RegisterForm } from './register_form';

function ModelRow({ model }: { model: Model }) {
  return (
    <tr>
      <th scope="row">
        <ModelLink model={model} />
      </th>
      <td>
        {model.origin === 'merged' ? <code>{model.merge_method}</code> : <Badge>registered</Badge>}
      </td>
      <td>{model.architecture}</td>
      <td class="number">{count(model.parameters)}</td>
      <td class="number">{bytes(model.weight_bytes)}</td>
      <td>{model.dtype}</td>
      <td>{model.parents.length > 0 && <ModelLinks models={model.parents} />}</td>
      <td>
        <code title={model.digest}>{shortDigest(model.digest)}</code>
      </td>
      <td class="muted">
        <TimeAgo time={model.created_at} />
      </td>
    </tr>
  );
}

export function ModelsView() {
  const models = useResource('models', (signal) => api.models(signal));
  useRefresh(models.reload, (event) => event.type === 'state' && event.state === 'succeeded');
  return (
    <>
      <div class="view-head">
        <h1>Models</h1>
        {models.data && <p class="muted">{models.data.items.length} models</p>}
      </div>
      {models.problem && <ProblemPanel problem={models.problem} onRetry={models.reload} />}
      {!models.data && !models.problem && <Loading what="models" />}
      {models.data && models.data.items.length === 0 && <Empty title="No models yet" />}
      {models.data && models.data.items.length > 0 && (
        <TableScroll label="Models">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Method</th>
                <th scope="col">Architecture</th>
                <th scope="col" class="number">
                  Parameters
                </th>
                <th scope="col" class="number">
                  Size
                </th>
                <th scope="col">dtype</th>
                <th scope="col">Parents</th>
                <th scope="col">Digest</th>
                <th scope="col">Created</th>
              </tr>
            </thead>
            <tbody>
              {models.data.items.map((model) => (
                <ModelRow key={model.id} model={model} />
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
      <RegisterForm onDone={models.reload} />
    </>
  );
}
