import { setQuery } from '../route/router';
import { lineDiff } from '../recipe/line_diff';
import { alignFacts, changeSentences, type FactRow } from '../recipe/recipe_facts';
import { FilterChoice } from '../ui/filter_choice';
import { ModelLink } from '../ui/model_link';
import { TableScroll } from '../ui/table_scroll';
import type { Compared } from './compared';
import type { CompareQuery } from './compare_query';

interface TableProps {
  rows: FactRow[];
  models: Compared[];
  tint: boolean; // the rows that differ
}

function FactTable({ rows, models, tint }: TableProps) {
  return (
    <TableScroll label="Table of recipes">
      <table class="plain fact-table" data-testid="recipe-facts">
        <thead>
          <tr>
            <th scope="col">Part</th>
            <th scope="col">What</th>
            {models.map(({ model }) => (
              <th key={model.id} scope="col">
                <ModelLink model={model} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key} class={tint && row.differs ? 'differs' : ''}>
              <td class="muted">{row.group}</td>
              <th scope="row">{row.label}</th>
              {row.values.map((value, i) => (
                <td key={models[i]!.model.id} class="wraps">
                  {value ?? <span class="muted">not set</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

const kSigns = { same: ' ', added: '+', removed: '\u2212' };
const kMeanings = { same: '', added: 'added: ', removed: 'removed: ' };

export function LineDiff({
  before,
  after,
  label,
}: {
  before: string;
  after: string;
  label: string;
}) {
  return (
    <TableScroll label={label}>
      <table class="diff" data-testid="line-diff">
        <tbody>
          {lineDiff(before, after).map((line, i) => (
            <tr key={i} class={`diff-${line.kind}`}>
              <td class="diff-number">{line.before}</td>
              <td class="diff-number">{line.after}</td>
              <td class="diff-sign" aria-hidden="true">
                {kSigns[line.kind]}
              </td>
              <td class="diff-text">
                {line.kind !== 'same' && <span class="hidden">{kMeanings[line.kind]}</span>}
                <code>{line.text}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function PairDiff({ reference, other }: { reference: Compared; other: Compared }) {
  const names: [string, string] = [reference.model.name, other.model.name];
  if (reference.recipe === null || other.recipe === null) {
    return null; // said above
  }
  const rows = alignFacts([reference.facts?.facts ?? null, other.facts?.facts ?? null]);
  const changed = changeSentences(rows, names);
  return (
    <>
      {changed.length === 0 ? (
        <p>Both recipes say the same.</p>
      ) : (
        <ul class="changes" data-testid="recipe-changes">
          {changed.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <h3>
        Line by line, from {names[0]} to {names[1]}
      </h3>
      <LineDiff before={reference.recipe} after={other.recipe} label="Recipes line by line" />
    </>
  );
}

interface Props {
  query: CompareQuery;
  models: Compared[];
  reference: Compared;
  other: Compared;
}

/** What the recipes say differently: all models in a table, then the pair in sentences and lines. */
export function RecipeSection({ query, models, reference, other }: Props) {
  const merged = models.filter(({ facts }) => facts !== null);
  const registered = models.filter(({ facts }) => facts === null);
  const rows = alignFacts(merged.map(({ facts }) => facts!.facts));
  const differing = rows.filter((row) => row.differs);
  const shown = query.recipes === 'all' ? rows : differing;
  const faults = models.filter(({ facts }) => facts !== null && facts.fault !== '');
  return (
    <section class="part" aria-labelledby="recipes-title">
      <h2 id="recipes-title">Recipes</h2>
      {rows.length > 0 && (
        <FilterChoice
          legend="Show"
          name="recipes"
          chosen={query.recipes}
          onChange={(value) => setQuery({ recipes: value === 'all' ? 'all' : null })}
          options={[
            { value: 'differences', title: 'What differs', count: differing.length },
            { value: 'all', title: 'Everything', count: rows.length },
          ]}
        />
      )}
      {faults.map(({ model, facts }) => (
        <p key={model.id} class="text-bad">
          The recipe of {model.name} cannot be read: {facts!.fault}
        </p>
      ))}
      {shown.length > 0 && (
        <FactTable rows={shown} models={merged} tint={query.recipes === 'all'} />
      )}
      {shown.length === 0 && (
        <p class="muted">
          {rows.length === 0
            ? 'None of these models was merged here, so there is no recipe.'
            : merged.length === 1
              ? `Only ${merged[0]!.model.name} was merged here; show everything to read its recipe.`
              : 'The recipes say the same.'}
        </p>
      )}
      {rows.length > 0 && registered.length > 0 && (
        <p class="notes muted">
          Without a recipe, registered from a folder:{' '}
          {registered.map(({ model }) => model.name).join(', ')}.
        </p>
      )}
      {rows.length > 0 && <PairDiff reference={reference} other={other} />}
    </section>
  );
}
