/** The hand-written line parser against the schema that defines the protocol. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { upstreamLineSchema } from '../../../shared/schema/upstream.ts';
import { parseUpstreamLine } from '../../../worker/targets/upstream-line.ts';

function bySchema(line: string): unknown {
  try {
    return upstreamLineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Mostly right, now and then wrong in one place: the cases where two parsers would part. */
const odd = fc.constantFrom<unknown>(null, true, -1, 1.5, Infinity, '', 'x', [], {}, [null], [[]]);
const mostly = (right: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: odd });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const ranked = fc.record(
  { label: mostly(fc.string()), confidence: mostly(share), extra: fc.constant(1) },
  { requiredKeys: [] },
);
const line = fc.oneof(
  fc.record(
    {
      kind: mostly(fc.constant('prediction')),
      label: mostly(fc.string()),
      confidence: mostly(share),
      top: mostly(fc.array(mostly(ranked), { maxLength: 4 })),
      truncated: mostly(fc.boolean()),
      extra: fc.anything(),
    },
    { requiredKeys: ['kind', 'label', 'confidence', 'top'] },
  ),
  fc.record(
    { kind: fc.constant('done'), count: mostly(fc.nat()), compute_ms: mostly(fc.double({ min: -1 })) },
    { requiredKeys: ['kind', 'count'] },
  ),
  fc.record(
    { kind: fc.constant('error'), code: mostly(fc.string()), message: mostly(fc.string()) },
    { requiredKeys: ['kind'] },
  ),
  fc.anything(),
);

describe('a line of the answer', () => {
  it('is taken or refused exactly as the schema does', () => {
    fc.assert(
      fc.property(line, (value) => {
        const text = JSON.stringify(value) ?? 'undefined';
        expect(parseUpstreamLine(text)).toEqual(bySchema(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '',
    ' ',
    '{',
    'null',
    '[]',
    '"prediction"',
    '{"kind":"toString"}',
    '{"kind":"done","count":9007199254740993,"compute_ms":0}',
  ])('is refused where it is %s', (text) => {
    expect(parseUpstreamLine(text)).toBeUndefined();
    expect(bySchema(text)).toBeUndefined();
  });
});
