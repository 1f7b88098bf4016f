import { expect, test } from 'vitest';
import { alignFacts, changeSentences, readRecipe, valueText } from './recipe_facts';

const kTies = `merge_method: ties
base_model: base
models:
  - model: sums
    parameters: { weight: 0.5, density: 0.30000000000000004 }
  - model: words
    parameters:
      weight: [0.2, 0.8]
      density: [{ filter: mlp, value: 0.5 }, { value: 1 }]
parameters: { normalize: true }
dtype: bfloat16
`;

function value(text: string, key: string): string | undefined {
  return readRecipe(text).facts.find((fact) => fact.key === key)?.value;
}

test('a recipe becomes facts, whatever its style', () => {
  expect(value(kTies, 'merge_method')).toBe('ties');
  expect(value(kTies, 'model sums density')).toBe('0.3');
  expect(value(kTies, 'model words weight')).toBe('[0.2, 0.8]');
  expect(value(kTies, 'model words density')).toBe('mlp: 0.5; otherwise 1');
  expect(value(kTies, 'parameters.normalize')).toBe('true');
  const flow = 'models: [{model: sums, parameters: {weight: 0.5}}]\nmerge_method: ties';
  expect(value(flow, 'model sums weight')).toBe('0.5');
});

test('models are named with revision and adapter, a repeated one gets a number', () => {
  const text = `models:
  - model: { model: { path: a/b, revision: v2 }, lora: c }
  - model: words
  - model: words
`;
  const labels = readRecipe(text).facts.map((fact) => fact.label);
  expect(labels).toEqual(['a/b@v2 + c', 'words', 'words (2)']);
});

test('slices tell their sources and layers', () => {
  const text = `slices:
  - sources:
      - { model: words, layer_range: [0, 3] }
      - { model: sums, layer_range: [0, 3], parameters: { weight: 1 } }
    parameters: { t: 0.5 }
merge_method: slerp
`;
  expect(value(text, 'slice 1')).toBe('words, layers 0 to 3 with sums, layers 0 to 3 (weight 1)');
  expect(value(text, 'slice 1 t')).toBe('0.5');
});

test('documents are told apart, unknown members kept, faults told', () => {
  const two =
    'name: first\nmerge_method: linear\n---\nname: second\nmerge_method: slerp\nodd: [1]\n';
  expect(value(two, 'second: merge_method')).toBe('slerp');
  expect(value(two, 'second: odd')).toBe('[1]');
  expect(readRecipe('a: [').fault).not.toBe('');
  expect(readRecipe('just text').fault).toBe('The text is no recipe.');
  expect(valueText(null)).toBe('none');
});

test('aliases cannot make it endless', () => {
  const lines = ['l0: &l0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i += 1) lines.push(`l${i}: &l${i} [${Array(9).fill(`*l${i - 1}`)}]`);
  const facts = readRecipe(lines.join('\n')).facts;
  expect(Math.max(...facts.map((fact) => fact.value.length))).toBeLessThan(5000);
  const circle = readRecipe('base_model: &m { model: *m }\nodd: &o [*o]\n');
  expect(circle.fault !== '' || circle.facts.length > 0).toBe(true);
});

test('facts align by what they are about, not by order', () => {
  const other = kTies.replace('weight: 0.5', 'weight: 0.4').replace('base_model: base\n', '');
  const rows = alignFacts([readRecipe(kTies).facts, null, readRecipe(other).facts]);
  const differing = rows.filter((row) => row.differs);
  expect(differing.map((row) => [row.key, row.values])).toEqual([
    ['base_model', ['base', null, null]],
    ['model sums weight', ['0.5', null, '0.4']],
  ]);
});

test('differences as sentences', () => {
  const said = (a: string, b: string) =>
    changeSentences(alignFacts([readRecipe(a).facts, readRecipe(b).facts]), ['A', 'B']);
  expect(said('parameters: {t: 1}', 'parameters: {t: 2}')).toEqual(['t is 1 in A and 2 in B.']);
  expect(said('dtype: x', 'dtype: x\nparameters: {t: 2}')).toEqual([
    't is 2 in B and not set in A.',
  ]);
  expect(said(kTies, kTies)).toEqual([]);
  const fewer = kTies.replace(/ {2}- model: sums\n.*\n/, '');
  expect(said(kTies, fewer)).toEqual(['sums is merged in A (weight 0.5, density 0.3), not in B.']);
});
