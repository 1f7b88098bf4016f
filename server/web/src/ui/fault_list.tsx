import type { Fault } from '../api/types';
import { withoutLine } from '../recipe/line_finder';

interface Props {
  faults: Fault[];
  lines?: (number | null)[]; // line in the editor of each fault, where one is known
  onLine?: (line: number) => void;
}

/** Faults with path, message and suggestion; with `lines`, each can be jumped to. */
export function FaultList({ faults, lines, onLine }: Props) {
  return (
    <ul class="faults">
      {faults.map((fault, index) => {
        const line = lines?.[index] ?? null;
        return (
          <li key={index} class="fault">
            <span class="fault-place">
              {line !== null && onLine && (
                <button type="button" class="line-link" onClick={() => onLine(line)}>
                  line {line}
                </button>
              )}
              {fault.path !== '' && <code>{fault.path}</code>}
            </span>
            <span class="fault-message">
              {line === null ? fault.message : withoutLine(fault.message)}
            </span>
            {fault.suggestion !== '' && <span class="fault-suggestion">{fault.suggestion}</span>}
          </li>
        );
      })}
    </ul>
  );
}
