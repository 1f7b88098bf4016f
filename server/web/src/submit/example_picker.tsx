import type { Model } from '../api/types';
import { type Example, examples } from '../recipe/examples';

interface Props {
  models: Model[];
  onPick: (example: Example) => void;
}

/** Recipes to start from. */
export function ExamplePicker({ models, onPick }: Props) {
  return (
    <div class="examples" role="group" aria-label="Start from an example">
      <span class="muted">Start from</span>
      {examples(models).map((example) => (
        <button
          key={example.name}
          type="button"
          class="button small"
          title={example.title}
          onClick={() => onPick(example)}
        >
          {example.name}
        </button>
      ))}
    </div>
  );
}
