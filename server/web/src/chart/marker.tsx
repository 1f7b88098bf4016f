const kShapes = ['circle', 'square', 'diamond', 'triangle', 'ring', 'cross'] as const;

interface Props {
  x: number;
  y: number;
  shape: number; // any index; shapes repeat
}

/** A point's mark. Shapes differ by series, so that colour is not the only difference. */
export function Marker({ x, y, shape }: Props) {
  switch (kShapes[shape % kShapes.length]) {
    case 'square':
      return <rect class="marker" x={x - 3.5} y={y - 3.5} width="7" height="7" />;
    case 'diamond':
      return (
        <path class="marker" d={`M${x} ${y - 5}L${x + 5} ${y}L${x} ${y + 5}L${x - 5} ${y}Z`} />
      );
    case 'triangle':
      return (
        <path class="marker" d={`M${x} ${y - 4.5}L${x + 4.5} ${y + 3.5}L${x - 4.5} ${y + 3.5}Z`} />
      );
    case 'ring':
      return <circle class="marker marker-hollow" cx={x} cy={y} r="3.5" />;
    case 'cross':
      return (
        <path
          class="marker marker-hollow"
          d={`M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x - 4} ${y + 4}L${x + 4} ${y - 4}`}
        />
      );
    default:
      return <circle class="marker" cx={x} cy={y} r="4" />;
  }
}
