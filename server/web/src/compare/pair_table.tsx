import type { Evaluation } from '../api/types';
import { kNone } from '../format/number';
import { type Answered, contestKey, useComparisons } from '../stats/use_comparisons';
import { ModelLink } from '../ui/model_link';
import { TableScroll } from '../ui/table_scroll';
import { DifferenceCell, extentOf, overallOf, VerdictText } from '../ui/verdict';
import type { Compared } from './compared';

interface Row {
  suite: string;
  model: Compared['model'];
  contest: { a: Evaluation; b: Evaluation };
}

interface Props {
  models: Compared[];
  suites: string[];
  reference: Compared;
  onItems: (suite: string, model: number) => void;
}

function rowsOf({ models, suites, reference }: Omit<Props, 'onItems'>): Row[] {
  return suites.flatMap((suite) => {
    const b = reference.evaluations.get(suite);
    return models.flatMap(({ model, evaluations }) => {
      const a = evaluations.get(suite);
      return a && b && model.id !== reference.model.id ? [{ suite, model, contest: { a, b } }] : [];
    });
  });
}

function PairRow(props: {
  row: Row;
  answer: Answered | undefined;
  extent: number;
  onItems: () => void;
}) {
  const { row, answer, extent, onItems } = props;
  const overall = overallOf(answer);
  return (
    <tr data-suite={row.suite} data-model={row.model.id}>
      <td data-label="Suite">{row.suite}</td>
      <th scope="row">
        <ModelLink model={row.model} />
      </th>
      <td class="score">
        {overall ? <DifferenceCell compared={overall} extent={extent} /> : kNone}
      </td>
      <td class="number" data-label="Wins / losses / ties">
        {overall ? `${overall.wins} / ${overall.losses} / ${overall.ties}` : kNone}
      </td>
      <td class="wraps verdict-cell">
        <VerdictText answer={answer} />
      </td>
      <td>
        <button type="button" class="button small" onClick={onItems}>
          Items
          <span class="hidden">
            {' '}
            of {row.suite} for {row.model.name}
          </span>
        </button>
      </td>
    </tr>
  );
}

/** Every model against the reference on every suite, item by item, with the verdict in words. */
export function PairTable({ onItems, ...props }: Props) {
  const rows = rowsOf(props);
  const answers = useComparisons(rows.map((row) => row.contest));
  const of = (row: Row) => answers.get(contestKey(row.contest));
  const known = rows.map((row) => overallOf(of(row))).filter((one) => one !== null);
  const extent = extentOf(known);
  if (rows.length === 0)
    return (
      <p class="muted">
        No other model has been scored on a suite that the reference was scored on.
      </p>
    );
  return (
    <TableScroll label="Paired differences">
      <table class="plain stacks" data-testid="compare-pairs">
        <thead>
          <tr>
            <th scope="col">Suite</th>
            <th scope="col">Model</th>
            <th scope="col">Difference, points</th>
            <th scope="col" class="number">
              Wins / losses / ties
            </th>
            <th scope="col">Verdict</th>
            <th scope="col">Look at</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <PairRow
              key={contestKey(row.contest)}
              row={row}
              answer={of(row)}
              extent={extent}
              onItems={() => onItems(row.suite, row.model.id)}
            />
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
