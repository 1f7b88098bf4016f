import type { Fault, Preflight, Problem } from '../api/types';
import { bytes, count } from '../format/number';
import { FaultList } from '../ui/fault_list';

interface Props {
  preflight: Preflight | null;
  problem: Problem | null;
  lines: (faults: Fault[]) => (number | null)[];
  onLine: (line: number) => void;
}

function PreflightFacts({ preflight: p }: { preflight: Preflight }) {
  return (
    <dl class="facts">
      <dt>Output</dt>
      <dd>
        {bytes(p.output_bytes)}, {p.dtype}, {count(p.parameters)} parameters
      </dd>
      <dt>Shape</dt>
      <dd>
        {p.architecture}, {p.layers} layers, {p.tensors} tensors
      </dd>
      <dt>Reads</dt>
      <dd>{bytes(p.input_bytes)}</dd>
      <dt>Memory</dt>
      <dd>{bytes(p.memory_bytes)}</dd>
      <dt>Free disk</dt>
      <dd>{bytes(p.free_disk_bytes)}</dd>
    </dl>
  );
}

/** The problem's faults; one without any (a syntax error, say) is a fault itself. */
export function faultsOf(problem: Problem | null): Fault[] {
  if (!problem) return [];
  if (problem.errors.length > 0) return problem.errors;
  return problem.detail === '' ? [] : [{ path: '', message: problem.detail, suggestion: '' }];
}

function headline(problem: Problem): string {
  return problem.errors.length > 0 && problem.detail !== '' ? problem.detail : problem.title;
}

/** What a check found: needs and warnings, or every fault at its place. */
export function VerdictPanel({ preflight, problem, lines, onLine }: Props) {
  if (problem) {
    const faults = faultsOf(problem);
    return (
      <div class="problem" role="alert">
        <p class="problem-title">{headline(problem)}</p>
        <FaultList faults={faults} lines={lines(faults)} onLine={onLine} />
      </div>
    );
  }
  if (!preflight) return null;
  return (
    <div class="verdict-good" role="status">
      <p class="problem-title">Nothing stands in the way</p>
      <PreflightFacts preflight={preflight} />
      {preflight.warnings.length > 0 && (
        <>
          <p class="warn-title">
            {preflight.warnings.length} {preflight.warnings.length === 1 ? 'warning' : 'warnings'}
          </p>
          <FaultList
            faults={preflight.warnings}
            lines={lines(preflight.warnings)}
            onLine={onLine}
          />
        </>
      )}
    </div>
  );
}
