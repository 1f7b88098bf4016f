import { effect, signal } from '@preact/signals';
import { kApi } from '../api/client';
import { authorization, noteRefusal, tokenVersion } from '../api/token';
import type { JobEvent } from '../api/types';
import { readEvents, type StreamEvent } from './event_stream';

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

function deliver(message: StreamEvent): void {
  if (message.type !== 'job') return;
  let event: JobEvent;
  try {
    event = JSON.parse(message.data) as JobEvent;
  } catch {
    return;
  }
  lastId = message.id;
  for (const listener of [...listeners]) listener.event(event);
}

let lastId = '';
let generation = 0;

async function follow(own: number): Promise<void> {
  while (own === generation) {
    const resume = lastId ? { 'Last-Event-ID': lastId } : {};
    let status = 0;
    try {
      status = await readEvents(
        `${kApi}/events`,
        { ...authorization(), ...resume },
        stopPolling,
        deliver,
      );
    } catch {
      // The connection broke off.
    }
    if (own !== generation) return;
    if (status === 401) {
      noteRefusal();
      return; // a new token starts it again
    }
    startPolling();
    await new Promise((done) => window.setTimeout(done, status === 200 ? kPollMs : kReopenMs));
  }
}

export function startEvents(): void {
  effect(() => {
    void tokenVersion.value;
    generation += 1;
    void follow(generation);
  });
}

/** Calls back on each job event, and on each tick while the stream is down. Returns the unsubscriber. */
export function subscribe(event: OnEvent, tick: OnTick): () => void {
  const listener = { event, tick };
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}
