import { describe, expect, it } from 'vitest';
import { EventParser, type StreamEvent } from './event_stream';

function parse(...pieces: string[]): StreamEvent[] {
  const parser = new EventParser();
  const events: StreamEvent[] = [];
  for (const piece of pieces) parser.feed(piece, (event) => events.push(event));
  return events;
}

describe('EventParser', () => {
  it('reads events in pieces of any size', () => {
    const text =
      'retry: 2000\n\nid: 7\nevent: job\ndata: {"a":1}\n\n: heartbeat\n\nid: 8\r\ndata: x\r\n\r\n';
    const whole = parse(text);
    expect(whole).toEqual([
      { id: '7', type: 'job', data: '{"a":1}' },
      { id: '8', type: '', data: 'x' },
    ]);
    expect(parse(...text.split(''))).toEqual(whole);
  });

  it('joins data lines and keeps an unfinished event back', () => {
    expect(parse('data: a\ndata: b\n\ndata: c\n')).toEqual([{ id: '', type: '', data: 'a\nb' }]);
  });
});
