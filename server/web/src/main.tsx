import { render } from 'preact';
import { App } from './app';
import { startToken } from './api/token';
import { startClock } from './live/clock';
import { startEvents } from './live/events';
import { startRouter } from './route/router';
import './style/index.css';

startToken();
startRouter();
startClock();
startEvents();
render(<App />, document.getElementById('app')!);
