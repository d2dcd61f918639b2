import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue } from '../../../cli/simulate/event-queue.ts';

describe('the event queue', () => {
  it('gives events by time, and those of the same time in the order they were put', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (times) => {
        const queue = new EventQueue<{ atMs: number; order: number }>();
        times.forEach((atMs, order) => queue.push(atMs, { atMs, order }));
        const expected = times.map((atMs, order) => ({ atMs, order })).sort((a, b) => a.atMs - b.atMs);
        const popped = times.map(() => {
          const { nextAtMs } = queue;
          const event = queue.pop();
          expect(nextAtMs).toBe(event?.atMs);
          return event;
        });
        expect(popped).toEqual(expected);
        expect(queue.pop()).toBeUndefined();
        expect(queue.nextAtMs).toBe(Infinity);
      }),
    );
  });

  it('keeps the order while events come and go', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: undefined })), (steps) => {
        const queue = new EventQueue<number>();
        const held: number[] = [];
        for (const atMs of steps) {
          if (atMs === undefined) {
            held.sort((a, b) => a - b);
            expect(queue.pop()).toBe(held.shift());
          } else {
            queue.push(atMs, atMs);
            held.push(atMs);
          }
        }
      }),
    );
  });
});
