/** W3C trace context: what is believed, what begins anew, and what is passed on. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attemptSpanId, formatTraceparent, parseTraceparent, traceFrom } from '../../../shared/trace/trace.ts';

const HEADER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const UUID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

describe('a traceparent', () => {
  it('is read as the standard’s own example says', () => {
    expect(parseTraceparent(HEADER)).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentSpanId: 'b7ad6b7169203331',
      sampled: true,
    });
  });

  it.each([
    ['nothing', ''],
    ['capitals', HEADER.toUpperCase()],
    ['the forbidden version', HEADER.replace('00-', 'ff-')],
    ['more than version 00 has', `${HEADER}-extra`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
    ['a parent of zeros', `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`],
    ['a short trace', HEADER.replace('0af', '')],
    ['spaces', ` ${HEADER}`],
    ['a line break', `${HEADER}\r\nx: y`],
  ])('is not believed where it is %s', (_what, header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  it('of a later version is read as far as it is known', () => {
    expect(parseTraceparent(`cc-${HEADER.slice(3)}-what-the-future-brings`)?.sampled).toBe(true);
  });

  it('is answered for any text without a throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseTraceparent(text) === undefined || text.length >= 55).toBe(true);
      }),
    );
  });
});

describe('the trace of a request', () => {
  it('goes on with the caller’s, under a span of its own, sampled where the caller says so', () => {
    const trace = traceFrom(HEADER, UUID, 0);
    expect(trace).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentSpanId: 'b7ad6b7169203331',
      spanId: '3f2504e04f894100',
      sampled: true,
    });
    expect(traceFrom(HEADER.replace(/1$/, '0'), UUID, 1).sampled).toBe(false);
  });

  it('begins anew where there is none to believe, and can be found by the request’s id', () => {
    for (const header of [null, 'garbage']) {
      expect(traceFrom(header, UUID, 0)).toMatchObject({
        traceId: '3f2504e04f8941d39a0c0305e82c3301',
        parentSpanId: undefined,
        sampled: false,
      });
    }
  });

  it('is sampled as often as asked', () => {
    const sampled = Array.from({ length: 20_000 }, () => traceFrom(null, crypto.randomUUID(), 0.1).sampled);
    expect(sampled.filter(Boolean).length / sampled.length).toBeCloseTo(0.1, 1);
    expect(traceFrom(null, UUID, 1).sampled).toBe(true);
  });

  it('is passed on as a traceparent that reads back, one span an attempt', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (uuid, n, ratio) => {
          const trace = traceFrom(null, uuid, ratio);
          const spans = [
            trace.spanId,
            ...Array.from({ length: n }, (_unused, index) => attemptSpanId(trace, index + 1)),
          ];
          expect(new Set(spans).size).toBe(n + 1);
          for (const spanId of spans) {
            const { traceId, sampled } = trace;
            if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) continue;
            expect(parseTraceparent(formatTraceparent(trace, spanId))).toEqual({
              traceId,
              parentSpanId: spanId,
              sampled,
            });
          }
        },
      ),
    );
  });
});
