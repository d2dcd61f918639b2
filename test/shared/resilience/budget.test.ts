import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earn, fullBudget, hasToken, hedgeBudget, spend, trickle } from '../../../shared/resilience/budget.ts';

describe('an earned budget', () => {
  it('never lets more than its share of extra calls through, from the first on', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 0.05, noNaN: true }),
        fc.array(fc.boolean(), { maxLength: 2_000 }),
        (ratio, wishes) => {
          const policy = hedgeBudget(ratio);
          let tokens = 0;
          let extra = 0;
          wishes.forEach((wants, index) => {
            tokens = earn(tokens, policy);
            if (wants && hasToken(tokens)) {
              tokens -= 1;
              extra += 1;
            }
            expect(extra).toBeLessThanOrEqual(ratio * (index + 1) + 1e-6);
          });
        },
      ),
    );
  });

  it('keeps every token it has earned, up to its burst', () => {
    let tokens = 0;
    for (let call = 0; call < 20; call += 1) tokens = earn(tokens, hedgeBudget(0.05));
    expect(hasToken(tokens)).toBe(true);
    for (let call = 0; call < 10_000; call += 1) tokens = earn(tokens, hedgeBudget(0.05));
    expect(tokens).toBe(50);
  });
});

describe('a budget that trickles in', () => {
  const policy = { perMs: 2, burst: 1_000 };

  it('is full at first, may be overdrawn, and fills up again by time', () => {
    let budget = spend(fullBudget(policy, 0), 1_400);
    expect(budget.left).toBe(-400);
    budget = trickle(budget, policy, 300);
    expect(budget.left).toBe(200);
    expect(trickle(budget, policy, 86_400_000).left).toBe(1_000);
  });

  it('never grants more than burst and rate over any time, however the clock jumps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -5_000, max: 5_000 }), fc.nat(500)), { maxLength: 200 }),
        (events) => {
          let budget = fullBudget(policy, 0);
          let nowMs = 0;
          let forwardMs = 0;
          let spent = 0;
          for (const [jumpMs, wish] of events) {
            nowMs += jumpMs;
            forwardMs += Math.max(0, jumpMs);
            budget = trickle(budget, policy, nowMs);
            expect(budget.left).toBeLessThanOrEqual(policy.burst);
            if (wish > budget.left) continue;
            budget = spend(budget, wish);
            spent += wish;
          }
          expect(spent).toBeLessThanOrEqual(policy.burst + policy.perMs * forwardMs);
        },
      ),
    );
  });
});
