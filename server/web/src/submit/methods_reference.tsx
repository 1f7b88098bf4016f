import { api } from '../api/client';
import { useResource } from '../api/use_resource';
import type { MethodInfo, ParameterInfo } from '../api/types';
import { ProblemPanel } from '../ui/problem_panel';

function limits(p: ParameterInfo): string {
  const parts: string[] = [];
  if (p.minimum !== null && p.maximum !== null) parts.push(`${p.minimum} to ${p.maximum}`);
  else if (p.minimum !== null) parts.push(`at least ${p.minimum}`);
  else if (p.maximum !== null) parts.push(`at most ${p.maximum}`);
  if (p.default !== null) parts.push(`default ${String(p.default)}`);
  if (p.required) parts.push('required');
  if (p.per_model) parts.push('per model');
  return parts.join(', ');
}

function models(method: MethodInfo): string {
  const { least_models: least, most_models: most } = method;
  const number =
    most === null ? `${least} or more` : most === least ? String(least) : `${least} to ${most}`;
  return `Models: ${number}. Base model: ${method.base_model}.`;
}

function Method({ method }: { method: MethodInfo }) {
  return (
    <details class="method">
      <summary>
        <code>{method.name}</code> <span class="muted">{method.meaning}</span>
      </summary>
      <p class="small">{models(method)}</p>
      <dl class="parameters">
        {method.parameters.map((parameter) => (
          <div key={parameter.name}>
            <dt>
              <code>{parameter.name}</code> <span class="muted small">{limits(parameter)}</span>
            </dt>
            <dd>{parameter.meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** What each merge method accepts, as the server lists it. */
export function MethodsReference() {
  const methods = useResource('methods', (signal) => api.methods(signal));
  return (
    <section class="methods" aria-label="Methods">
      <h2>Methods</h2>
      {methods.problem && <ProblemPanel problem={methods.problem} onRetry={methods.reload} />}
      {methods.data?.items.map((method) => (
        <Method key={method.name} method={method} />
      ))}
    </section>
  );
}
