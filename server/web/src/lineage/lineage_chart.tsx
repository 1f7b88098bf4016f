import type { Model } from '../api/types';
import type { Ancestry } from './ancestry';
import { type Layout, layoutLineage, type Place } from './layout';

const kBox = { width: 176, height: 46 };
const kGap = { across: 64, down: 18 };
const kMargin = 4;
const kMostLetters = 22;

function left(place: Place): number {
  return kMargin + place.layer * (kBox.width + kGap.across);
}

function middle(place: Place): number {
  return kMargin + kBox.height / 2 + place.row * (kBox.height + kGap.down);
}

/** A smooth line from the parent's right side to the child's left, through points between. */
function edgePath(points: Place[]): string {
  const parts: string[] = [];
  points.forEach((point, i) => {
    const y = middle(point);
    if (i === 0) {
      parts.push(`M${left(point) + kBox.width} ${y}`);
      return;
    }
    const before = points[i - 1]!;
    const [from, to] = [left(before) + kBox.width, left(point)];
    const bend = (from + to) / 2;
    parts.push(`C${bend} ${middle(before)} ${bend} ${y} ${to} ${y}`);
    if (i < points.length - 1) parts.push(`H${to + kBox.width}`);
  });
  return parts.join('');
}

function shortened(text: string): string {
  return text.length > kMostLetters ? `${text.slice(0, kMostLetters - 1)}…` : text;
}

function methodOf(model: Model): string {
  return model.origin === 'merged' ? model.merge_method : 'registered';
}

function Node({ model, place, here }: { model: Model; place: Place; here: boolean }) {
  const [x, y] = [left(place), middle(place) - kBox.height / 2];
  return (
    <a
      href={`#/models/${model.id}`}
      class={`node node-${model.origin} ${here ? 'is-here' : ''}`}
      aria-label={`${model.name} ${methodOf(model)}`}
      aria-current={here ? 'true' : undefined}
      data-node={model.id}
    >
      {shortened(model.name) !== model.name && <title>{model.name}</title>}
      <rect x={x} y={y} width={kBox.width} height={kBox.height} rx="6" />
      <text class="node-name" x={x + 12} y={y + 20}>
        {shortened(model.name)}
      </text>
      <text class="node-method" x={x + 12} y={y + 37}>
        {methodOf(model)}
      </text>
    </a>
  );
}

function size(layout: Layout): { width: number; height: number } {
  return {
    width: 2 * kMargin + layout.layers * (kBox.width + kGap.across) - kGap.across,
    height: 2 * kMargin + layout.rows * (kBox.height + kGap.down) - kGap.down,
  };
}

/** The family tree: oldest at the left, the model itself at the right; every box leads to its model. */
export function LineageChart({ ancestry, id }: { ancestry: Ancestry; id: number }) {
  const layout = layoutLineage(
    ancestry.models.map((model) => model.id),
    ancestry.edges,
  );
  const { width, height } = size(layout);
  return (
    <div class="lineage-scroll" role="region" aria-label="Lineage graph" tabIndex={0}>
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-labelledby="lineage-name lineage-text"
      >
        <title id="lineage-name">What this model was merged from</title>
        <desc id="lineage-text">
          {ancestry.models.length - 1} ancestors, the oldest at the left; a line leads from a parent
          to what was merged from it. The same is in the list below.
        </desc>
        {layout.paths.map(({ edge, points }) => (
          <path key={`${edge.parent} ${edge.child}`} class="lineage-edge" d={edgePath(points)} />
        ))}
        {ancestry.models.map((model) => (
          <Node
            key={model.id}
            model={model}
            place={layout.places.get(model.id)!}
            here={model.id === id}
          />
        ))}
      </svg>
    </div>
  );
}
