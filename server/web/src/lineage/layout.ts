// Layered drawing of an acyclic graph (Sugiyama, Tagawa and Toda 1981): longest-path layers, points where
// an edge passes a layer, and barycentre sweeps against crossings.

export interface Edge {
  parent: number;
  child: number;
}

export interface Place {
  layer: number; // 0 = oldest
  row: number; // centre within the layer, in rows; may be a half
}

export interface Layout {
  layers: number;
  rows: number;
  places: ReadonlyMap<number, Place>;
  paths: { edge: Edge; points: Place[] }[]; // from the parent to the child, through layers between
}

/** Layer of each node: one more than its youngest parent's. Edges that would close a circle are ignored. */
function layersOf(ids: number[], edges: Edge[]): Map<number, number> {
  const parents = new Map<number, number[]>(ids.map((id) => [id, []]));
  for (const { parent, child } of edges) parents.get(child)?.push(parent);
  const layer = new Map<number, number>();
  const open = new Set<number>();
  const visit = (id: number): number => {
    const known = layer.get(id);
    if (known !== undefined) return known;
    if (open.has(id)) return -1;
    open.add(id);
    const own = 1 + Math.max(-1, ...(parents.get(id) ?? []).map(visit));
    open.delete(id);
    layer.set(id, own);
    return own;
  };
  ids.forEach(visit);
  return layer;
}

interface Node {
  id: string;
  layer: number;
  near: Node[]; // neighbours in the layers before and after
  row: number;
}

interface Chain {
  edge: Edge;
  nodes: Node[];
}

function link(a: Node, b: Node): void {
  a.near.push(b);
  b.near.push(a);
}

function chainsOf(edges: Edge[], nodes: Map<string, Node>): Chain[] {
  const chains: Chain[] = [];
  for (const edge of edges) {
    const from = nodes.get(String(edge.parent));
    const to = nodes.get(String(edge.child));
    if (!from || !to || from.layer >= to.layer) continue;
    const chain = [from];
    for (let layer = from.layer + 1; layer < to.layer; layer += 1) {
      const between = { id: `${edge.parent}>${edge.child}@${layer}`, layer, near: [], row: 0 };
      nodes.set(between.id, between);
      chain.push(between);
    }
    chain.push(to);
    for (let i = 1; i < chain.length; i += 1) link(chain[i - 1]!, chain[i]!);
    chains.push({ edge, nodes: chain });
  }
  return chains;
}

/** Rows of each layer stand centred on the tallest one's middle. */
function settle(layer: Node[], rows: number): void {
  layer.forEach((node, i) => (node.row = i + (rows - layer.length) / 2));
}

function sweep(layers: Node[][], rows: number): void {
  for (const layer of layers) {
    const at = layer[0]?.layer ?? 0;
    for (const side of [at - 1, at + 1]) {
      const goal = new Map(
        layer.map((node) => {
          const near = node.near.filter((other) => other.layer === side);
          const sum = near.reduce((total, other) => total + other.row, 0);
          return [node, near.length === 0 ? node.row : sum / near.length];
        }),
      );
      layer.sort((a, b) => goal.get(a)! - goal.get(b)! || a.row - b.row);
      settle(layer, rows);
    }
  }
}

const kSweeps = 4;

export function layoutLineage(ids: number[], edges: Edge[]): Layout {
  const layerOf = layersOf(ids, edges);
  const nodes = new Map<string, Node>(
    ids.map((id) => [
      String(id),
      { id: String(id), layer: layerOf.get(id) ?? 0, near: [], row: 0 },
    ]),
  );
  const chains = chainsOf(edges, nodes);
  const depth = 1 + Math.max(-1, ...[...nodes.values()].map((node) => node.layer));
  const layers = Array.from({ length: depth }, (_, layer) =>
    [...nodes.values()].filter((node) => node.layer === layer),
  );
  const rows = Math.max(0, ...layers.map((layer) => layer.length));
  for (const layer of layers) settle(layer, rows);
  for (let i = 0; i < kSweeps; i += 1) {
    sweep(layers, rows);
    sweep([...layers].reverse(), rows);
  }
  const place = ({ layer, row }: Node): Place => ({ layer, row });
  return {
    layers: depth,
    rows,
    places: new Map(ids.map((id) => [id, place(nodes.get(String(id))!)])),
    paths: chains.map(({ edge, nodes: chain }) => ({ edge, points: chain.map(place) })),
  };
}
