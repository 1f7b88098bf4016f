import type { PairOutcome } from '../samples/sample';

export const kLeastModels = 2;
export const kMostModels = 6;

/** What the comparison shows; lives in the URL's query, defaults left out. */
export interface CompareQuery {
  models: number[]; // at most kMostModels, each once
  reference: number | null; // one of them; null without any
  suite: string; // of the items; '' = the first that both have
  against: number | null; // whose items are set beside the reference's
  show: PairOutcome | 'all';
  text: string;
  item: string; // key of the item whose answers are shown
  recipes: 'differences' | 'all';
}

/** Model ids from "3,1,3,x": whole numbers, each once, at most `most`. */
export function readIds(text: string | null, most = kMostModels): number[] {
  const ids = (text ?? '').split(',').filter((part) => /^[1-9]\d{0,14}$/.test(part));
  return [...new Set(ids.map(Number))].slice(0, most);
}

export function readCompareQuery(query: URLSearchParams): CompareQuery {
  const models = readIds(query.get('models'));
  const asked = Number(query.get('ref'));
  const reference = models.includes(asked) ? asked : (models[0] ?? null);
  const others = models.filter((id) => id !== reference);
  const against = Number(query.get('against'));
  const show = query.get('show');
  return {
    models,
    reference,
    suite: query.get('suite') ?? '',
    against: others.includes(against) ? against : (others[0] ?? null),
    show: show === 'win' || show === 'loss' || show === 'tie' ? show : 'all',
    text: query.get('q') ?? '',
    item: query.get('item') ?? '',
    recipes: query.get('recipes') === 'all' ? 'all' : 'differences',
  };
}

export function compareHash(models: number[], reference?: number): string {
  const ref = reference === undefined || reference === models[0] ? '' : `&ref=${reference}`;
  return `#/compare?models=${models.join(',')}${ref}`;
}
