import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawFor, drawOfText } from '../../../shared/decide/chance.ts';
import { choosePolicy } from '../../../shared/decide/choose-policy.ts';
import type { BreakerState } from '../../../shared/resilience/breaker.ts';
import type { RouteSpec } from '../../../shared/schema/config.ts';
import type { Sticky } from '../../../shared/schema/route-policy.ts';
import type { FactsOptions } from './world.ts';
import { factsWith, NOW_MS } from './world.ts';

const DRAWS = 20_000;

const split = (sticky?: Sticky): RouteSpec['policy'] => ({
  kind: 'split',
  arms: [
    { name: 'a', weight: 3, policy: { kind: 'cheapest' } },
    { name: 'b', weight: 1, policy: { kind: 'fastest' } },
  ],
  ...(sticky === undefined ? {} : { sticky }),
});
const canary = (sticky?: Sticky): RouteSpec['policy'] => ({
  kind: 'canary',
  share: 0.1,
  base: { name: 'old', policy: { kind: 'cheapest' } },
  canary: { name: 'new', policy: { kind: 'fastest' }, targets: ['lambda'] },
  ...(sticky === undefined ? {} : { sticky }),
});

function labelOf(options: FactsOptions): string {
  return choosePolicy(factsWith(options)).label;
}

/** Share of requests on the arm, over callers that differ in the given way. */
function shareOf(arm: string, optionsOf: (index: number) => FactsOptions): number {
  let count = 0;
  for (let index = 0; index < DRAWS; index += 1) if (labelOf(optionsOf(index)).includes(` ${arm}: `)) count += 1;
  return Math.round((100 * count) / DRAWS) / 100;
}

const callerOf = (tenant: string, requestId: string, metadata: Record<string, string> = {}) => ({
  tenant,
  requestId,
  metadata,
});

describe('a split', () => {
  it('gives each arm its weight', () => {
    expect(shareOf('a', (index) => ({ policy: split(), random: index / DRAWS }))).toBeCloseTo(0.75, 2);
    expect(shareOf('b', (index) => ({ policy: split('tenant'), caller: callerOf(`t${index}`, 'r') }))).toBeCloseTo(
      0.25,
      1,
    );
  });

  it.each<[Sticky, (index: number) => ReturnType<typeof callerOf>]>([
    ['tenant', (index) => callerOf('acme', `r${index}`)],
    ['request', (index) => callerOf(`t${index}`, 'one')],
    [{ metadata: 'user' }, (index) => callerOf(`t${index}`, `r${index}`, { user: 'u1' })],
  ])('keeps to one arm by %o', (sticky, callers) => {
    const labels = new Set(
      Array.from({ length: 50 }, (_, index) =>
        labelOf({ policy: split(sticky), random: index / 50, caller: callers(index) }),
      ),
    );
    expect(labels.size).toBe(1);
  });

  it('takes the request where the metadata that would hold it is absent, whatever its name', () => {
    for (const key of ['user', 'constructor', 'toString']) {
      const share = shareOf('b', (index) => ({ policy: split({ metadata: key }), caller: callerOf('t', `r${index}`) }));
      expect(share).toBeCloseTo(0.25, 2);
    }
  });

  it('draws anew for every request where nothing is sticky, or nobody is known', () => {
    expect(shareOf('b', (index) => ({ policy: split('tenant'), random: index / DRAWS }))).toBeCloseTo(0.25, 2);
  });
});

describe('a canary', () => {
  it('gets its share, sticky or not, and only its own places', () => {
    expect(shareOf('new', (index) => ({ policy: canary(), random: index / DRAWS }))).toBeCloseTo(0.1, 2);
    expect(shareOf('new', (index) => ({ policy: canary('tenant'), caller: callerOf(`t${index}`, 'r') }))).toBeCloseTo(
      0.1,
      1,
    );
    const on = Array.from({ length: 100 }, (_, index) =>
      choosePolicy(factsWith({ policy: canary(), random: index / 100 })),
    );
    expect(on.find((chosen) => chosen.canary !== undefined)).toMatchObject({
      targets: ['lambda'],
      label: 'canary new: fastest',
      canary: { key: 'intent/new', stop: { failure_ratio: 0.1, minimum_calls: 20, open_ms: 600_000 } },
    });
    expect(on.find((chosen) => chosen.canary === undefined)).toMatchObject({
      label: 'canary old: cheapest',
      targets: undefined,
    });
  });

  const open: BreakerState = { kind: 'open', openedAtMs: NOW_MS - 5, openMs: 1_000, failedProbes: 0 };
  it.each<[string, BreakerState, number]>([
    ['stopped', open, 0],
    ['being tried by another request', { ...open, kind: 'half_open', probeStartedAtMs: NOW_MS, probeLeaseMs: 10 }, 0],
    ['whose time is over', { ...open, openMs: 1 }, 0.1],
    ['well', { kind: 'closed', buckets: [] }, 0.1],
  ])('%s gets what is due', (_name, breaker, share) => {
    const arms = { 'intent/new': breaker };
    expect(shareOf('new', (index) => ({ policy: canary(), random: index / DRAWS, arms }))).toBeCloseTo(share, 2);
  });

  it('is told apart from the same canary under a rule', () => {
    const rules = [{ name: 'vip', when: {}, policy: canary() }];
    const arms = { 'intent/new': open };
    const share = shareOf('new', (index) => ({ route: { rules }, random: index / DRAWS, arms }));
    expect(share).toBeCloseTo(0.1, 2);
    expect(labelOf({ route: { rules }, arms: { 'intent/vip/new': open } })).toBe(
      'rule vip: canary (stopped) old: cheapest',
    );
  });
});

describe('rules', () => {
  const first: NonNullable<RouteSpec['rules']>[number] = {
    name: 'one',
    when: { metadata: { plan: ['gold', 'silver'], region: ['eu'] }, max_input_chars: 100 },
    policy: { kind: 'fastest' },
  };
  const route = {
    rules: [first, { name: 'two', when: { priorities: ['low' as const] }, policy: { kind: 'cheapest' as const } }],
  };

  it.each<[string, FactsOptions, string]>([
    [
      'every condition holds',
      { inputChars: 100, caller: callerOf('t', 'r', { plan: 'gold', region: 'eu' }) },
      'rule one: fastest',
    ],
    [
      'one of several values',
      { inputChars: 0, caller: callerOf('t', 'r', { plan: 'silver', region: 'eu' }) },
      'rule one: fastest',
    ],
    ['one value is another', { inputChars: 5, caller: callerOf('t', 'r', { plan: 'free', region: 'eu' }) }, 'cascade'],
    ['one is absent', { inputChars: 5, caller: callerOf('t', 'r', { plan: 'gold' }) }, 'cascade'],
    ['too long', { inputChars: 101, caller: callerOf('t', 'r', { plan: 'gold', region: 'eu' }) }, 'cascade'],
    ['no text at all', { caller: callerOf('t', 'r', { plan: 'gold', region: 'eu' }) }, 'cascade'],
    ['nobody known', { inputChars: 5 }, 'cascade'],
    ['the second one', { requirements: { priority: 'low' } }, 'rule two: cheapest'],
    [
      'both: the first',
      { inputChars: 1, requirements: { priority: 'low' }, caller: callerOf('t', 'r', { plan: 'gold', region: 'eu' }) },
      'rule one: fastest',
    ],
  ])('%s', (_name, options, label) => {
    expect(labelOf({ ...options, route })).toBe(label);
  });
});

describe('chance', () => {
  it('is a number from 0 to below 1, the same for the same draw, whatever it is for', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(20),
        fc.string(),
        (random, purpose, text) => {
          for (const draw of [drawFor(random, purpose), drawOfText(text)]) {
            expect(draw).toBeGreaterThanOrEqual(0);
            expect(draw).toBeLessThan(1);
          }
          expect(drawFor(random, purpose)).toBe(drawFor(random, purpose));
        },
      ),
    );
  });

  it('is even, and independent between purposes', () => {
    const cells = Array.from({ length: 16 }, () => 0);
    for (let index = 0; index < DRAWS; index += 1) {
      const random = index / DRAWS;
      const cell = 4 * Math.floor(4 * drawFor(random, 0)) + Math.floor(4 * drawFor(random, 1));
      cells[cell] = (cells[cell] ?? 0) + 1;
    }
    for (const count of cells) expect(Math.abs(count - DRAWS / 16)).toBeLessThan(200);
  });
});
