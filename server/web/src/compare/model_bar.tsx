import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import { setQuery } from '../route/router';
import { ProblemPanel } from '../ui/problem_panel';
import { kMostModels } from './compare_query';

interface Props {
  ids: number[];
  reference: number | null;
  nameOf: (id: number) => string;
}

function setModels(ids: number[]): void {
  setQuery({ models: ids.join(','), item: null });
}

function AddModel({ ids }: { ids: number[] }) {
  const models = useResource('models', (signal) => api.models(signal));
  if (models.problem) return <ProblemPanel problem={models.problem} onRetry={models.reload} />;
  const rest = (models.data?.items ?? []).filter((model) => !ids.includes(model.id));
  const full = ids.length >= kMostModels;
  return (
    <label class="field">
      <span>Add a model</span>
      <select
        name="add"
        value=""
        disabled={full || rest.length === 0}
        onChange={(e) => {
          const id = Number(e.currentTarget.value);
          if (id > 0) setModels([...ids, id]);
        }}
      >
        <option value="">{full ? `${kMostModels} are the most` : 'Choose…'}</option>
        {rest.map((model) => (
          <option key={model.id} value={String(model.id)}>
            {model.name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Which models are compared, and which of them the others are measured against. */
export function ModelBar({ ids, reference, nameOf }: Props) {
  return (
    <div class="filters compare-bar">
      {ids.length > 0 && (
        <fieldset class="chips">
          <legend>Measured against</legend>
          {ids.map((id) => (
            <span key={id} class="chip compare-chip">
              <label>
                <input
                  type="radio"
                  name="reference"
                  value={String(id)}
                  checked={id === reference}
                  onChange={() => setQuery({ ref: id === ids[0] ? null : String(id), item: null })}
                />
                <span>{nameOf(id)}</span>
              </label>
              <button
                type="button"
                class="remove"
                aria-label={`Leave ${nameOf(id)} out`}
                onClick={() => setModels(ids.filter((other) => other !== id))}
              >
                <span aria-hidden="true">×</span>
              </button>
            </span>
          ))}
        </fieldset>
      )}
      <AddModel ids={ids} />
    </div>
  );
}
