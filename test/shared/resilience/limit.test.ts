import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialLimit, reduceLimit, type LimitEvent, type LimitState } from '../../../shared/resilience/limit.ts';

const MOST = 100;

function after(state: LimitState, count: number, event: LimitEvent): LimitState {
  let reduced = state;
  for (let index = 0; index < count; index += 1) reduced = reduceLimit(reduced, event, MOST);
  return reduced;
}

describe('a learned concurrency limit', () => {
  const settled = after(initialLimit(MOST), 300, { kind: 'answered', latencyMs: 20, inFlight: 10 });

  it('is all that is configured until something speaks against it', () => {
    expect(initialLimit(MOST).limit).toBe(MOST);
    expect(settled.limit).toBe(MOST);
  });

  it('falls below what was running when the place throttles, at once, down to one', () => {
    const once = reduceLimit(settled, { kind: 'throttled', inFlight: 10 }, MOST);
    expect(once.limit).toBe(7);
    expect(after(once, 50, { kind: 'throttled', inFlight: 1 }).limit).toBe(1);
  });

  it('falls when latency leaves its own mean behind, but never to one at a time for that alone', () => {
    const queueing = after(settled, 12, { kind: 'answered', latencyMs: 200, inFlight: 40 });
    expect(queueing.limit).toBeLessThan(40);
    expect(after(settled, 40, { kind: 'answered', latencyMs: 4_000, inFlight: 1 }).limit).toBeGreaterThanOrEqual(4);
  });

  it('does not fall for a few milliseconds more, however many times as much they are', () => {
    const quick = after(initialLimit(MOST), 300, { kind: 'answered', latencyMs: 1, inFlight: 10 });
    expect(after(quick, 200, { kind: 'answered', latencyMs: 20, inFlight: 40 }).limit).toBe(MOST);
  });

  it('does not fall for slow answers among quick ones, however slow', () => {
    let state = settled;
    for (let answer = 0; answer < 2_000; answer += 1) {
      state = reduceLimit(state, { kind: 'answered', latencyMs: answer % 10 === 0 ? 2_000 : 20, inFlight: 40 }, MOST);
      expect(state.limit).toBe(MOST);
    }
  });

  it('takes a latency that stays for the new normal', () => {
    const slower = after(settled, 2_000, { kind: 'answered', latencyMs: 200, inFlight: 90 });
    expect(slower.limit).toBeGreaterThan(30);
  });

  it('rises again under load, quickly from far below, and not where nobody comes near it', () => {
    const low = after(settled, 50, { kind: 'throttled', inFlight: 1 });
    expect(after(low, 15, { kind: 'answered', latencyMs: 20, inFlight: 12 }).limit).toBe(16);
    expect(after(low, 10_000, { kind: 'answered', latencyMs: 20, inFlight: 100 }).limit).toBe(MOST);
    const half = { ...settled, limit: 50 };
    expect(after(half, 1_000, { kind: 'answered', latencyMs: 20, inFlight: 10 }).limit).toBe(50);
  });

  it('stays from one to what is configured, whatever comes', () => {
    const event = fc.oneof(
      fc.record({
        kind: fc.constant('answered' as const),
        latencyMs: fc.double({ noDefaultInfinity: true }),
        inFlight: fc.nat(500),
      }),
      fc.record({ kind: fc.constant('throttled' as const), inFlight: fc.nat(500) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), fc.integer({ min: 1, max: 300 }), (events, most) => {
        let state = initialLimit(most);
        for (const one of events) state = reduceLimit(state, one, most);
        expect(state.limit).toBeGreaterThanOrEqual(1);
        expect(state.limit).toBeLessThanOrEqual(most);
      }),
    );
  });

  it('follows a configuration that allows less', () => {
    expect(reduceLimit(initialLimit(200), { kind: 'answered', latencyMs: 5, inFlight: 1 }, 10).limit).toBe(10);
  });
});
