import type { Model } from '../api/types';

/** A model and those it descends from. */
export interface Ancestry {
  models: Model[]; // the one asked about first, then nearest first
  edges: { parent: number; child: number }[];
  unread: { id: number; name: string }[]; // named as parents but not to be had
  cut: boolean; // there is more than was asked for
}

export const kMostAncestors = 60;

/** Follows parents upwards, a generation at a time; each model is asked for once. */
export async function ancestryOf(
  start: Model,
  ask: (id: number) => Promise<Model>,
  most = kMostAncestors,
): Promise<Ancestry> {
  const known = new Map([[start.id, start]]);
  const unread = new Map<number, string>();
  const edges: Ancestry['edges'] = [];
  let cut = false;
  let generation = [start];
  while (generation.length > 0) {
    const wanted = new Map<number, string>();
    for (const child of generation) {
      for (const { id, name } of child.parents) {
        if (known.has(id) || wanted.has(id)) continue;
        if (known.size + wanted.size >= most) cut = true;
        else wanted.set(id, name);
      }
    }
    const ids = [...wanted.keys()];
    const answers = await Promise.allSettled(ids.map((id) => ask(id)));
    answers.forEach((answer, i) => {
      const id = ids[i]!;
      if (answer.status === 'fulfilled') known.set(id, answer.value);
      else unread.set(id, wanted.get(id) ?? '');
    });
    generation = ids.map((id) => known.get(id)).filter((model) => model !== undefined);
  }
  for (const child of known.values()) {
    for (const { id } of child.parents) {
      if (id !== child.id && known.has(id)) edges.push({ parent: id, child: child.id });
    }
  }
  const missing = [...unread].map(([id, name]) => ({ id, name }));
  return { models: [...known.values()], edges, unread: missing, cut };
}
