import { useLayoutEffect, useRef } from 'preact/hooks';
import { useTheme } from './use_theme';

/** A colour by the name of its custom property: `series-1` → "#1d5a9e". */
export type Ink = (property: string) => string;

interface Props {
  width: number; // CSS pixels; the frame around has the same size
  height: number;
  /** Draws all; called again when anything in `on` or the theme changes. */
  draw: (context: CanvasRenderingContext2D, ink: Ink) => void;
  on: readonly unknown[];
}

const kOutOfSightMs = 60;

function paint(
  element: HTMLCanvasElement,
  width: number,
  height: number,
  draw: Props['draw'],
): void {
  const context = element.getContext('2d');
  if (!context) return;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (element.width !== wide || element.height !== high) {
    element.width = wide;
    element.height = high;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(element);
  draw(context, (property) => style.getPropertyValue(`--${property}`).trim());
}

/** A layer for thousands of marks, below the SVG with the axes. Hidden from readers: the figure has a table. */
export function Canvas({ width, height, draw, on }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  useLayoutEffect(() => {
    let timer: number | undefined;
    // Before the next painting, once: what is asked for twice until then is drawn once. What is out of
    // sight waits until that painting is done.
    const frame = requestAnimationFrame(() => {
      const element = canvas.current;
      if (!element) return;
      const { top, bottom } = element.getBoundingClientRect();
      const near = bottom > 0 && top < window.innerHeight;
      if (near) paint(element, width, height, draw);
      else timer = window.setTimeout(() => paint(element, width, height, draw), kOutOfSightMs);
    });
    return () => {
      cancelAnimationFrame(frame);
      window.clearTimeout(timer);
    };
  }, [width, height, theme, ...on]);
  return <canvas ref={canvas} class="layer" aria-hidden="true" />;
}
