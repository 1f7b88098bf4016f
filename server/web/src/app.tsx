import { Fragment } from 'preact';
import { useEffect } from 'preact/hooks';
import { CompareView } from './compare/compare_view';
import { LeaderboardView } from './leaderboard/leaderboard_view';
import { ModelView } from './models/model_view';
import { ModelsView } from './models/models_view';
import { QueueView } from './queue/queue_view';
import { route } from './route/router';
import { SubmitView } from './submit/submit_view';
import { SweepView } from './sweeps/sweep_view';
import { SweepsView } from './sweeps/sweeps_view';
import { refused, tokenVersion } from './api/token';
import { Header } from './ui/header';
import { SignIn } from './ui/sign_in';
import { Empty } from './ui/states';

function view(path: string[]) {
  const id = /^\d+$/.test(path[1] ?? '') ? Number(path[1]) : null;
  switch (path[0] ?? 'leaderboard') {
    case 'leaderboard':
      return <LeaderboardView />;
    case 'queue':
      return <QueueView />;
    case 'submit':
      return <SubmitView />;
    case 'sweeps':
      return id === null ? <SweepsView /> : <SweepView key={id} id={id} />;
    case 'compare':
      return <CompareView />;
    case 'models':
      return id === null ? <ModelsView /> : <ModelView key={id} id={id} />;
    default:
      return (
        <Empty title="There is no such view">
          <a href="#/leaderboard">To the leaderboard</a>
        </Empty>
      );
  }
}

function titleOf(path: string[]): string {
  const name = path[0] ?? 'leaderboard';
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}${path[1] ? ` ${path[1]}` : ''} · Crucible`;
}

export function App() {
  const { path } = route.value;
  const place = path.slice(0, 2).join('/');
  useEffect(() => {
    document.title = titleOf(path);
    window.scrollTo(0, 0);
  }, [place]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        {refused.value ? <SignIn /> : <Fragment key={tokenVersion.value}>{view(path)}</Fragment>}
      </main>
    </>
  );
}
