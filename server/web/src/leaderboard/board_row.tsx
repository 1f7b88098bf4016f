import type { LeaderboardRow } from '../api/types';
import { ModelDetail } from '../models/model_detail';
import { bestParent, deltaToBestParent, scoreOf } from '../stats/delta';
import { Badge } from '../ui/badge';
import { ModelLink, ModelLinks } from '../ui/model_link';
import { PickCell } from './pick';
import { ScoreCell } from './score_cell';

interface Props {
  row: LeaderboardRow;
  suites: string[];
  rows: ReadonlyMap<number, LeaderboardRow>;
  lit: boolean; // a parent of the row under the pointer or focus
  open: boolean;
  onToggle: () => void;
  onPoint: (id: number | null) => void;
}

function ModelCell({ row, open, onToggle }: Pick<Props, 'row' | 'open' | 'onToggle'>) {
  return (
    <th scope="row" class="model-cell">
      <span class="model-line">
        <button
          type="button"
          class="disclose"
          aria-expanded={open}
          aria-label={`Details of ${row.model.name}`}
          onClick={onToggle}
        >
          <span aria-hidden="true">{open ? '▾' : '▸'}</span>
        </button>
        <span class="model-name">
          <ModelLink model={row.model} />
          {row.is_parent && (
            <Badge tone="accent" title="Another model here was merged from it">
              parent
            </Badge>
          )}
          {row.tuned_on.length > 0 && (
            <Badge
              tone="warn"
              title={`A sweep chose it by ${row.tuned_on.join(', ')}: its scores there flatter it`}
            >
              tuned on{' '}
              {row.tuned_on.length === 1 ? row.tuned_on[0] : `${row.tuned_on.length} suites`}
            </Badge>
          )}
        </span>
      </span>
      {row.parents.length > 0 && (
        <span class="lineage">
          from <ModelLinks models={row.parents} />
        </span>
      )}
    </th>
  );
}

function MethodCell({ row }: { row: LeaderboardRow }) {
  return (
    <td class="method-cell">
      {row.origin === 'registered' ? (
        <Badge title="Registered from a folder, not merged here">registered</Badge>
      ) : (
        <code>{row.merge_method}</code>
      )}
      {row.sweep_id !== null && (
        <a class="sweep-link" href={`#/sweeps/${row.sweep_id}`}>
          sweep {row.sweep_id}
        </a>
      )}
    </td>
  );
}

export function BoardRow({ row, suites, rows, lit, open, onToggle, onPoint }: Props) {
  const columns = ['mean', ...suites];
  return (
    <>
      <tr
        class={`${lit ? 'is-lit' : ''} ${open ? 'is-open' : ''}`}
        data-model={row.model.id}
        onMouseEnter={() => onPoint(row.model.id)}
        onMouseLeave={() => onPoint(null)}
        onFocusCapture={() => onPoint(row.model.id)}
        onBlurCapture={() => onPoint(null)}
      >
        <PickCell row={row} />
        <td class="rank">{row.rank}</td>
        <ModelCell row={row} open={open} onToggle={onToggle} />
        <MethodCell row={row} />
        {columns.map((column) => (
          <ScoreCell
            key={column}
            column={column}
            score={scoreOf(row, column)}
            delta={deltaToBestParent(row, column, rows)}
            reference={bestParent(row.parents, column, rows)?.score.value}
          />
        ))}
      </tr>
      {open && (
        <tr class="detail-row">
          <td colSpan={4 + columns.length}>
            <div class="detail-inset">
              <ModelDetail id={row.model.id} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}
