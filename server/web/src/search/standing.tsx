import type { Standing } from '../api/types';

const kMeanings: Record<Standing, string> = {
  racing: 'Still in the race',
  'set aside': 'Behind; the budget is kept for others',
  eliminated: 'Certainly not the best',
  failed: 'Could not be made',
};

/** The shape that stands for a standing in every chart. */
export function StandingMark({ standing }: { standing: Standing }) {
  return (
    <svg
      class={`standing standing-${standing.replace(' ', '-')}`}
      viewBox="0 0 12 12"
      width="12"
      height="12"
      aria-hidden="true"
    >
      {standing === 'racing' && <circle cx="6" cy="6" r="4" />}
      {standing === 'set aside' && <rect x="2.500" y="2.500" width="7" height="7" />}
      {standing === 'eliminated' && <path d="M2.500 2.500l7 7M2.500 9.500l7-7" />}
      {standing === 'failed' && <path d="M6 1.500L10.500 9.500H1.500Z" />}
    </svg>
  );
}

export function StandingText({ standing }: { standing: Standing }) {
  return (
    <span class="standing-text" title={kMeanings[standing]}>
      <StandingMark standing={standing} /> {standing}
    </span>
  );
}

/** What the shapes mean, with how many there are of each. */
export function StandingKey({ counts }: { counts: Record<Standing, number> }) {
  return (
    <ul class="key" aria-label="Marks">
      {(Object.keys(kMeanings) as Standing[])
        .filter((standing) => counts[standing] > 0)
        .map((standing) => (
          <li key={standing}>
            <StandingText standing={standing} /> <span class="muted">{counts[standing]}</span>
          </li>
        ))}
    </ul>
  );
}
