/** Events as the HTML standard parses them, split anywhere. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  serverSentEvent,
  ServerSentEventError,
  ServerSentEvents,
} from '../../../shared/protocol/server-sent-events.ts';

const text =
  ': a comment\n\ndata: one\n\nevent: x\nid: 7\ndata:two\r\ndata:  lines\r\n\r\nretry: 10\n\ndata\n\ndata: last\r\r' +
  'data: cut';

describe('server-sent events', () => {
  it('are the same however the text is split', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 20 }), (cuts) => {
        const reader = new ServerSentEvents();
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        const events = places.slice(1).flatMap((end, index) => reader.push(text.slice(places[index], end)));
        expect(events).toEqual(['one', 'two\n lines', '', 'last']);
      }),
    );
  });

  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(new ServerSentEvents().push(serverSentEvent(JSON.stringify(value)))).toEqual([JSON.stringify(value)]);
      }),
    );
  });

  it('that never end are refused', () => {
    const reader = new ServerSentEvents();
    expect(() => {
      for (let index = 0; index < 20; index += 1) reader.push(`data: ${'x'.repeat(100_000)}`);
    }).toThrow(ServerSentEventError);
    const lines = new ServerSentEvents();
    expect(() => {
      for (let index = 0; index < 20; index += 1) lines.push(`data: ${'x'.repeat(100_000)}\n`);
    }).toThrow(ServerSentEventError);
  });
});
