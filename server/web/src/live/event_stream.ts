// Server-sent events over fetch: EventSource cannot send an Authorization header.

export interface StreamEvent {
  id: string;
  type: string;
  data: string;
}

/** Takes a stream's text apart, in pieces of any size. */
export class EventParser {
  private rest = '';
  private event: StreamEvent = { id: '', type: '', data: '' };

  feed(text: string, deliver: (event: StreamEvent) => void): void {
    this.rest += text;
    const lines = this.rest.split('\n');
    this.rest = lines.pop() ?? '';
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (this.event.data !== '') deliver(this.event);
        this.event = { id: '', type: '', data: '' };
      } else {
        this.take(line);
      }
    }
  }

  private take(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'id') this.event.id = value;
    else if (field === 'event') this.event.type = value;
    else if (field === 'data') this.event.data += (this.event.data ? '\n' : '') + value;
  }
}

/**
 * Reads one stream to its end. Resolves when the server closes it; rejects when it cannot be had
 * (`status` is then set on a refusal) or breaks off.
 */
export async function readEvents(
  path: string,
  headers: Record<string, string>,
  onOpen: () => void,
  deliver: (event: StreamEvent) => void,
): Promise<number> {
  const response = await fetch(path, { headers: { Accept: 'text/event-stream', ...headers } });
  if (!response.ok || !response.body) return response.status;
  onOpen();
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return 200;
    parser.feed(decoder.decode(value, { stream: true }), deliver);
  }
}
