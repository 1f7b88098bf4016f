import { loadAll } from 'js-yaml';
import { plain } from '../format/number';

// A recipe as a list of facts that can be set beside another recipe's: what it merges, how, and with
// which parameters, without regard to the order or the style of the YAML.

export type FactGroup = 'Method' | 'Models' | 'Slices' | 'Parameters' | 'Output';

export interface Fact {
  key: string; // the same in two recipes when both facts are about the same thing
  group: FactGroup;
  label: string;
  value: string;
}

export interface RecipeFacts {
  facts: Fact[];
  fault: string; // why the text could not be read; '' when it could
}

type Json = Record<string, unknown>;

const kMerged = 'merged';

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entries(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Aliases can make a short text endless: so many values are told, then "…". */
interface Budget {
  left: number;
}

const kMostValues = 400;

/** One part of a conditional value: `{filter: mlp, value: 0.5}`. */
function conditionText(part: Json, budget: Budget): string {
  const value = valueText(part['value'], budget);
  if (part['filter'] === undefined) return `otherwise ${value}`;
  return `${valueText(part['filter'], budget)}: ${value}`;
}

/** A parameter's value in words: a number, a gradient over the layers, or one value a filter. */
export function valueText(value: unknown, budget: Budget = { left: kMostValues }): string {
  if ((budget.left -= 1) < 0) return '…';
  if (typeof value === 'number') return Number.isFinite(value) ? plain(value, 6) : String(value);
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every((one) => isObject(one) && 'value' in one))
      return value.map((one) => conditionText(one as Json, budget)).join('; ');
    return `[${value.map((one) => valueText(one, budget)).join(', ')}]`;
  }
  if (isObject(value)) {
    return entries(value)
      .map(([name, own]) => `${name} ${valueText(own, budget)}`)
      .join(', ');
  }
  return String(value);
}

const kDeepest = 4;

/** A model as recipes name it: a text, or `{model: {path, revision}, lora, …}`. */
function modelName(value: unknown, depth = 0): string {
  if (!isObject(value)) return value === undefined ? 'unnamed' : valueText(value);
  if (depth > kDeepest) return '…';
  const inner = value['path'] ?? value['model'];
  const name = inner === undefined ? valueText(value) : modelName(inner, depth + 1);
  const revision = value['revision'];
  const lora = value['lora'];
  return (
    name +
    (revision ? `@${valueText(revision)}` : '') +
    (lora === undefined || lora === null ? '' : ` + ${modelName(lora, depth + 1)}`)
  );
}

/** Names made unique: the second "words" becomes "words (2)". */
class Names {
  private readonly seen = new Map<string, number>();

  take(name: string): string {
    const times = (this.seen.get(name) ?? 0) + 1;
    this.seen.set(name, times);
    return times === 1 ? name : `${name} (${times})`;
  }
}

function modelFacts(recipe: Json, at: string): Fact[] {
  const names = new Names();
  return list(recipe['models']).flatMap((entry) => {
    const own = isObject(entry) ? entry : { model: entry };
    const name = names.take(modelName(own['model']));
    const key = `${at}model ${name}`;
    const others = entries(own).filter(([field]) => field !== 'model' && field !== 'parameters');
    const facts: Fact[] = [{ key, group: 'Models', label: name, value: kMerged }];
    for (const [field, value] of [...entries(own['parameters']), ...others]) {
      facts.push({
        key: `${key} ${field}`,
        group: 'Models',
        label: `${field} of ${name}`,
        value: valueText(value),
      });
    }
    return facts;
  });
}

function sourceText(source: unknown): string {
  if (!isObject(source)) return modelName(source);
  const range = list(source['layer_range']);
  const layers =
    range.length === 2 ? `, layers ${valueText(range[0])} to ${valueText(range[1])}` : '';
  const parameters = entries(source['parameters']);
  const own = parameters.map(([name, value]) => `${name} ${valueText(value)}`).join(', ');
  return modelName(source['model']) + layers + (own === '' ? '' : ` (${own})`);
}

function sliceFacts(recipe: Json, at: string): Fact[] {
  return list(recipe['slices']).flatMap((slice, index) => {
    const key = `${at}slice ${index + 1}`;
    const label = `Slice ${index + 1}`;
    const own = isObject(slice) ? slice : {};
    const sources = list(own['sources']).map(sourceText).join(' with ');
    const facts: Fact[] = [{ key, group: 'Slices', label, value: sources }];
    const others = entries(own).filter(([f]) => f !== 'sources' && f !== 'parameters');
    for (const [name, value] of [...entries(own['parameters']), ...others]) {
      const text = valueText(value);
      facts.push({
        key: `${key} ${name}`,
        group: 'Slices',
        label: `${name}, ${label}`,
        value: text,
      });
    }
    return facts;
  });
}

const kNamed: Record<string, [FactGroup, string]> = {
  merge_method: ['Method', 'Method'],
  base_model: ['Method', 'Base model'],
  name: ['Output', 'Name'],
  dtype: ['Output', 'dtype'],
  out_dtype: ['Output', 'Output dtype'],
  tokenizer_source: ['Output', 'Tokenizer'],
  tokenizer: ['Output', 'Tokenizer'],
  chat_template: ['Output', 'Chat template'],
};

function documentFacts(recipe: Json, at: string): Fact[] {
  const facts: Fact[] = [];
  const add = (field: string, group: FactGroup, label: string, value: string) =>
    facts.push({ key: at + field, group, label, value });
  for (const field of ['merge_method', 'base_model']) {
    const value = recipe[field];
    if (value === undefined) continue;
    const text = field === 'base_model' ? modelName(value) : valueText(value);
    add(field, 'Method', kNamed[field]![1], text);
  }
  facts.push(...modelFacts(recipe, at), ...sliceFacts(recipe, at));
  for (const [name, value] of entries(recipe['parameters']))
    add(`parameters.${name}`, 'Parameters', name, valueText(value));
  const told = new Set(['merge_method', 'base_model', 'models', 'slices', 'parameters']);
  for (const [field, value] of entries(recipe)) {
    if (told.has(field)) continue;
    const [group, label] = kNamed[field] ?? (['Output', field] as const);
    add(field, group, label, valueText(value));
  }
  return at === '' ? facts : facts.map((f) => ({ ...f, label: `${at.trim()} ${f.label}` }));
}

/** Reads a recipe; several documents in one text are told apart by their name or number. */
export function readRecipe(text: string): RecipeFacts {
  let documents: unknown[];
  try {
    documents = loadAll(text);
  } catch (thrown) {
    return { facts: [], fault: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  const recipes = documents.filter(isObject);
  if (recipes.length === 0) return { facts: [], fault: 'The text is no recipe.' };
  const prefix = (recipe: Json, index: number) =>
    recipes.length === 1 ? '' : `${valueText(recipe['name'] ?? `#${index + 1}`)}: `;
  return { facts: recipes.flatMap((r, i) => documentFacts(r, prefix(r, i))), fault: '' };
}

/** One thing that recipes say, with each recipe's value; null where a recipe does not mention it. */
export interface FactRow {
  key: string;
  group: FactGroup;
  label: string;
  values: (string | null)[];
  differs: boolean;
}

const kGroups: FactGroup[] = ['Method', 'Models', 'Slices', 'Parameters', 'Output'];

/** Facts of several recipes side by side, in groups; a recipe that is null has no part in `differs`. */
export function alignFacts(recipes: (Fact[] | null)[]): FactRow[] {
  const rows = new Map<string, FactRow>();
  recipes.forEach((facts, column) => {
    for (const { key, group, label, value } of facts ?? []) {
      const values = Array<string | null>(recipes.length).fill(null);
      const row = rows.get(key) ?? { key, group, label, values, differs: false };
      row.values[column] = value;
      rows.set(key, row);
    }
  });
  for (const row of rows.values()) {
    const present = row.values.filter((_, column) => recipes[column] !== null);
    row.differs = present.some((value) => value !== present[0]);
  }
  return [...rows.values()].sort((a, b) => kGroups.indexOf(a.group) - kGroups.indexOf(b.group));
}

/** Whether the row is about a whole model or slice that one of two recipes lacks. */
function isLack({ group, label, values }: FactRow): boolean {
  const whole =
    (group === 'Models' && values.includes(kMerged)) || /^(.*: )?Slice \d+$/.test(label);
  return whole && values.includes(null);
}

function changeSentence(row: FactRow, parts: FactRow[], names: [string, string]): string {
  const [a = null, b = null] = row.values;
  const what = row.label;
  if (a !== null && b !== null) return `${what} is ${a} in ${names[0]} and ${b} in ${names[1]}.`;
  const [has, lacks] = a !== null ? names : [names[1], names[0]];
  const value = a ?? b ?? '';
  if (!isLack(row)) return `${what} is ${value} in ${has} and not set in ${lacks}.`;
  const told = parts.map(
    (p) => `${p.key.slice(row.key.length + 1)} ${p.values.find((v) => v !== null)}`,
  );
  const own = told.length > 0 ? ` (${told.join(', ')})` : '';
  if (value === kMerged) return `${what} is merged in ${has}${own}, not in ${lacks}.`;
  return `${what} is ${value} in ${has}${own}; ${lacks} has none.`;
}

/**
 * The differences of two recipes as sentences: "t is 0.5 in a and 0.3 in b." What belongs to a model or
 * slice that one of them lacks is told with it.
 */
export function changeSentences(rows: FactRow[], names: [string, string]): string[] {
  const differing = rows.filter((row) => row.differs);
  const lacks = differing.filter(isLack);
  const ownerOf = (row: FactRow) => lacks.find((l) => row !== l && row.key.startsWith(`${l.key} `));
  const partsOf = (row: FactRow) => differing.filter((part) => ownerOf(part) === row);
  return differing
    .filter((row) => !ownerOf(row))
    .map((row) => changeSentence(row, partsOf(row), names));
}
