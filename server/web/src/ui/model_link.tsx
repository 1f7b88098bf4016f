import type { ComponentChildren } from 'preact';
import type { ModelSummary } from '../api/types';

interface Props {
  model: ModelSummary;
  children?: ComponentChildren;
}

export function ModelLink({ model, children }: Props) {
  return (
    <a href={`#/models/${model.id}`} class="model-link">
      {children ?? model.name}
    </a>
  );
}

/** Names of models as links, separated by commas. */
export function ModelLinks({ models }: { models: ModelSummary[] }) {
  return (
    <>
      {models.map((model, index) => (
        <span key={model.id}>
          {index > 0 && ', '}
          <ModelLink model={model} />
        </span>
      ))}
    </>
  );
}
