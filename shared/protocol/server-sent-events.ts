/**
 * Server-sent events, reading and writing: text as it comes -> the data of whole events, as the HTML standard parses them.
 * Names, ids and retry times are passed over: nothing here uses them.
 */

/** A line that never ends is no stream of events. */
const MAX_HELD_CHARS = 1024 * 1024;

export class ServerSentEventError extends Error {
  override readonly name = 'ServerSentEventError';
}

export class ServerSentEvents {
  #rest = '';
  #data: string[] = [];

  /** @throws ServerSentEventError where an event is larger than any honest one */
  push(text: string): readonly string[] {
    const events: string[] = [];
    const held = this.#rest + text;
    let from = 0;
    for (;;) {
      const end = nextBreak(held, from);
      // A carriage return at the very end may have its line feed still to come.
      if (end === undefined || (held[end] === '\r' && end === held.length - 1)) break;
      this.#line(held.slice(from, end), events);
      from = end + (held[end] === '\r' && held[end + 1] === '\n' ? 2 : 1);
    }
    this.#rest = held.slice(from);
    if (this.#rest.length > MAX_HELD_CHARS) throw new ServerSentEventError('a line is too long');
    return events;
  }

  #line(line: string, events: string[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
      return;
    }
    if (!line.startsWith('data')) return;
    if (line.length === 4) this.#data.push('');
    else if (line[4] === ':') this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
    if (this.#data.length > 1 && this.#data.reduce((sum, one) => sum + one.length, 0) > MAX_HELD_CHARS)
      throw new ServerSentEventError('an event is too long');
  }
}

function nextBreak(text: string, from: number): number | undefined {
  const feed = text.indexOf('\n', from);
  const carriage = text.indexOf('\r', from);
  if (feed < 0 && carriage < 0) return undefined;
  if (feed < 0) return carriage;
  return carriage < 0 ? feed : Math.min(feed, carriage);
}

/** @param data without line breaks, as JSON is written */
export function serverSentEvent(data: string): string {
  return `data: ${data}\n\n`;
}
