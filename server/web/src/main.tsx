import { render } from 'preact';
import { App } from './app';
import { startClock } from './live/clock';
import { startEvents } from './live/events';
import { startRouter } from './route/router';
import './style/index.css';

startRouter();
startClock();
startEvents();
render(<App />, document.getElementById('app')!);
