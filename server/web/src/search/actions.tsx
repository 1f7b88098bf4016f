import type { SweepState } from '../api/types';

export type Action = 'pause' | 'resume' | 'cancel' | 'extend';

const kActions: Record<SweepState, Action[]> = {
  queued: ['pause', 'cancel'],
  running: ['pause', 'cancel'],
  paused: ['resume', 'extend'],
  cancelled: ['resume', 'extend'],
  failed: ['resume', 'extend'],
  succeeded: ['extend'],
};

const kTexts: Record<Action, string> = {
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel',
  extend: 'Extend budget…',
};

interface Props {
  state: SweepState;
  busy: boolean;
  onAction: (action: Action) => void;
}

/** What can be done with a search in its state. */
export function Actions({ state, busy, onAction }: Props) {
  return (
    <div class="actions head-actions" role="group" aria-label="Actions">
      {kActions[state].map((action) => (
        <button
          key={action}
          type="button"
          class={`button small ${action === 'resume' ? 'primary' : ''}`}
          disabled={busy}
          data-action={action}
          onClick={() => onAction(action)}
        >
          {kTexts[action]}
        </button>
      ))}
    </div>
  );
}
