import { expect, test } from 'vitest';
import type { Model } from '../api/types';
import { ancestryOf } from './ancestry';
import { layoutLineage } from './layout';

function model(id: number, parents: number[]): Model {
  return { id, name: `m${id}`, parents: parents.map((p) => ({ id: p, name: `m${p}` })) } as Model;
}

function world(...models: Model[]) {
  const asked: number[] = [];
  const ask = (id: number) => {
    asked.push(id);
    const found = models.find((m) => m.id === id);
    return found ? Promise.resolve(found) : Promise.reject(new Error('gone'));
  };
  return { asked, ask };
}

test('parents of parents are followed, each once', async () => {
  const { asked, ask } = world(model(1, []), model(2, [1]), model(3, [1]));
  const found = await ancestryOf(model(4, [2, 3, 1]), ask);
  expect(found.models.map((m) => m.id)).toEqual([4, 2, 3, 1]);
  expect(asked).toEqual([2, 3, 1]);
  expect(found.edges).toHaveLength(5);
  expect(found.cut).toBe(false);
});

test('a parent that is gone is named, a circle ends, a long line is cut', async () => {
  const gone = await ancestryOf(model(4, [2]), world().ask);
  expect(gone.unread).toEqual([{ id: 2, name: 'm2' }]);
  const circle = world(model(1, [2]), model(2, [1]));
  expect((await ancestryOf(model(1, [2]), circle.ask)).models).toHaveLength(2);
  const line = world(model(1, []), model(2, [1]), model(3, [2]));
  const cut = await ancestryOf(model(3, [2]), line.ask, 2);
  expect([cut.models.length, cut.cut]).toEqual([2, true]);
});

test('a child stands one layer after its youngest parent; long edges pass between', () => {
  const layout = layoutLineage(
    [4, 2, 3, 1],
    [
      { parent: 1, child: 2 },
      { parent: 2, child: 4 },
      { parent: 3, child: 4 },
      { parent: 1, child: 4 },
    ],
  );
  const layer = (id: number) => layout.places.get(id)!.layer;
  expect([1, 2, 3, 4].map(layer)).toEqual([0, 1, 0, 2]);
  expect(layout.layers).toBe(3);
  const long = layout.paths.find(({ edge }) => edge.parent === 1 && edge.child === 4)!;
  expect(long.points).toHaveLength(3);
  expect(long.points[1]!.row).not.toBe(layout.places.get(2)!.row);
});

test('crossings that need not be are undone', () => {
  const edges = [
    { parent: 1, child: 12 },
    { parent: 2, child: 11 },
    { parent: 11, child: 20 },
    { parent: 12, child: 20 },
  ];
  const { places } = layoutLineage([20, 11, 12, 1, 2], edges);
  const row = (id: number) => places.get(id)!.row;
  expect(Math.sign(row(1) - row(2))).toBe(Math.sign(row(12) - row(11)));
});

test('one node, none, and a circle', () => {
  expect(layoutLineage([7], []).places.get(7)).toEqual({ layer: 0, row: 0 });
  expect(layoutLineage([], []).layers).toBe(0);
  const circle = layoutLineage(
    [1, 2],
    [
      { parent: 1, child: 2 },
      { parent: 2, child: 1 },
    ],
  );
  expect(circle.paths).toHaveLength(1);
});
