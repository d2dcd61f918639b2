import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InstanceFleet, OnDemandFleet, type Placed } from '../../../cli/simulate/fleets.ts';

const IDLE_MS = 300_000;

function endOf(placed: Placed): number {
  return placed.kind === 'served' ? placed.endsAtMs : Number.NaN;
}

describe('environments that start on demand', () => {
  it('starts cold, stays warm for the next, and goes cold again when nobody comes', () => {
    const fleet = new OnDemandFleet(10);
    expect(fleet.place(0, 5, 700)).toEqual({ kind: 'served', endsAtMs: 705, busyMs: 705 });
    expect(endOf(fleet.place(1_000, 5, 700))).toBe(1_005);
    expect(endOf(fleet.place(1_005 + IDLE_MS, 5, 700))).toBe(1_005 + IDLE_MS + 705);
  });

  it('takes one call at a time in each environment, so a second one at once starts another', () => {
    const fleet = new OnDemandFleet(10);
    fleet.place(0, 5, 700);
    expect(endOf(fleet.place(1, 5, 700))).toBe(706);
  });

  it('throttles above its limit, and above a thousand starts in ten seconds', () => {
    const small = new OnDemandFleet(2);
    expect([0, 0, 0].map((atMs) => small.place(atMs, 5, 700).kind)).toEqual(['served', 'served', 'throttled']);
    const large = new OnDemandFleet(5_000);
    const kinds = Array.from({ length: 1_001 }, () => large.place(0, 5, 700).kind);
    expect(kinds.filter((kind) => kind === 'served')).toHaveLength(1_000);
    expect(large.place(10_000, 5, 700).kind).toBe('served');
  });
});

describe('instances', () => {
  it('never works on more calls at once than it has room for', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.double({ min: 1, max: 30, noNaN: true }))),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 }),
        (calls, instances, concurrency) => {
          const fleet = new InstanceFleet({ instances, concurrency, isScaled: false });
          let atMs = 0;
          const spans = calls.map(([waitMs, serviceMs], index) => {
            atMs += waitMs;
            const endsAtMs = endOf(fleet.place(atMs, serviceMs, 0, (index % 10) / 10));
            expect(endsAtMs).toBeGreaterThanOrEqual(atMs + serviceMs - 1e-9);
            return { from: endsAtMs - serviceMs, to: endsAtMs };
          });
          for (const { from } of spans) {
            const together = spans.filter((other) => other.from <= from + 1e-9 && other.to > from + 1e-9);
            expect(together.length).toBeLessThanOrEqual(instances * concurrency);
          }
        },
      ),
    );
  });

  it('counts hours whether used or not', () => {
    const fleet = new InstanceFleet({ instances: 3, concurrency: 1, isScaled: false });
    expect(fleet.instanceHours(3_600_000)).toBeCloseTo(3);
    expect(fleet.instanceHours(7_200_000)).toBeCloseTo(6);
  });

  it('grows minutes after it was needed, and pays for more from then on', () => {
    const fleet = new InstanceFleet({ instances: 1, concurrency: 1, isScaled: true });
    for (let atMs = 0; atMs < 900_000; atMs += 10) fleet.place(atMs, 9, 0, 0);
    const hours = fleet.instanceHours(900_000);
    expect(hours).toBeGreaterThan(0.25);
    expect(hours).toBeLessThan(0.75);
  });

  it('has one slow replica in as many as asked', () => {
    const fleet = new InstanceFleet({
      instances: 20,
      concurrency: 1,
      isScaled: false,
      slow: { oneIn: 20, factor: 50 },
    });
    const ends = Array.from({ length: 20 }, () => endOf(fleet.place(0, 1, 0, 0)));
    expect(ends.filter((endsAtMs) => endsAtMs === 50)).toHaveLength(1);
    expect(ends.filter((endsAtMs) => endsAtMs === 1)).toHaveLength(19);
  });
});
