import { signal } from '@preact/signals';
import { kApi } from '../api/client';
import type { JobEvent } from '../api/types';

// The one event stream of the page. While it is down, `ticks` listeners are called every two seconds
// instead, so that views poll; the stream is tried again meanwhile.

export type Connection = 'connecting' | 'live' | 'polling';
export const connection = signal<Connection>('connecting');

const kPollMs = 2000;
const kReopenMs = 10000;

type OnEvent = (event: JobEvent) => void;
type OnTick = () => void;
const listeners = new Set<{ event: OnEvent; tick: OnTick }>();

let pollTimer: number | undefined;

function tickAll(): void {
  for (const listener of [...listeners]) listener.tick();
}

function startPolling(): void {
  connection.value = 'polling';
  pollTimer ??= window.setInterval(tickAll, kPollMs);
}

function stopPolling(): void {
  const missed = pollTimer !== undefined;
  window.clearInterval(pollTimer);
  pollTimer = undefined;
  connection.value = 'live';
  if (missed) tickAll();
}

function deliver(message: MessageEvent<string>): void {
  let event: JobEvent;
  try {
    event = JSON.parse(message.data) as JobEvent;
  } catch {
    return;
  }
  for (const listener of [...listeners]) listener.event(event);
}

function open(): void {
  const source = new EventSource(`${kApi}/events`);
  source.addEventListener('open', stopPolling);
  source.addEventListener('job', deliver);
  source.addEventListener('error', () => {
    startPolling();
    // CONNECTING: the browser tries again by itself, with Last-Event-ID.
    if (source.readyState === EventSource.CLOSED) window.setTimeout(open, kReopenMs);
  });
}

export function startEvents(): void {
  if (typeof EventSource === 'undefined') startPolling();
  else open();
}

/** Calls back on each job event, and on each tick while the stream is down. Returns the unsubscriber. */
export function subscribe(event: OnEvent, tick: OnTick): () => void {
  const listener = { event, tick };
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}
