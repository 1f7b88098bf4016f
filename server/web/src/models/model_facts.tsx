import type { ComponentChildren } from 'preact';
import type { Model } from '../api/types';
import { bytes, count } from '../format/number';
import { DigestText } from '../ui/digest';
import { ModelLinks } from '../ui/model_link';
import { TimeAgo } from '../ui/time_ago';

interface Props {
  model: Model;
  children?: ComponentChildren; // more terms with their descriptions
}

export function ModelFacts({ model, children }: Props) {
  return (
    <dl class="facts">
      <dt>Digest</dt>
      <dd>
        <DigestText digest={model.digest} />
      </dd>
      <dt>Architecture</dt>
      <dd>
        {model.architecture}, {count(model.parameters)} parameters, {model.dtype},{' '}
        {bytes(model.weight_bytes)}
      </dd>
      <dt>Parents</dt>
      <dd>
        {model.parents.length > 0 ? (
          <ModelLinks models={model.parents} />
        ) : (
          'none: registered from a folder'
        )}
      </dd>
      <dt>Children</dt>
      <dd>{model.children.length > 0 ? <ModelLinks models={model.children} /> : 'none'}</dd>
      <dt>{model.origin === 'merged' ? 'Merged' : 'Registered'}</dt>
      <dd>
        <TimeAgo time={model.created_at} />
        {model.job_id !== null && (
          <>
            {' by '}
            <a href={`#/queue?job=${model.job_id}`}>job {model.job_id}</a>
          </>
        )}
        {model.sweep_id !== null && (
          <>
            {' in '}
            <a href={`#/sweeps/${model.sweep_id}`}>sweep {model.sweep_id}</a>
          </>
        )}
      </dd>
      <dt>Folder</dt>
      <dd>
        <code class="path">{model.path}</code>
      </dd>
      {children}
    </dl>
  );
}
