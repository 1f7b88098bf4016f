import { connection } from '../live/events';
import { route } from '../route/router';

const kViews = [
  ['leaderboard', 'Leaderboard'],
  ['queue', 'Queue'],
  ['submit', 'Submit'],
  ['sweeps', 'Sweeps'],
  ['models', 'Models'],
] as const;

const kConnectionTexts = {
  connecting: 'connecting',
  live: 'live',
  polling: 'polling',
};

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <path
        class="mark-cup"
        d="M4 8h24l-4.200 16.600a4 4 0 0 1-3.900 3h-7.800a4 4 0 0 1-3.900-3z"
      />
      <path
        class="mark-melt"
        d="M6.400 12h19.200l-1.300 5.200c-2.500 1.500-5-1.100-8.300-.2s-5.600 2-8.300.1z"
      />
      <path class="mark-rim" d="M2.500 8h27" />
    </svg>
  );
}

export function Header() {
  const here = route.value.path[0] ?? 'leaderboard';
  return (
    <header class="top">
      <a class="brand" href="#/leaderboard">
        <Mark />
        <span>Crucible</span>
      </a>
      <nav aria-label="Views">
        {kViews.map(([name, title]) => (
          <a key={name} href={`#/${name}`} aria-current={here === name ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <span
        class={`connection connection-${connection.value}`}
        role="status"
        title="State of the event stream"
      >
        {kConnectionTexts[connection.value]}
      </span>
    </header>
  );
}
