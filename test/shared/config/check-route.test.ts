import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../shared/config/parse-config.ts';
import type { Config, RouteSpec } from '../../../shared/schema/config.ts';
import type { PolicyArm, RoutePolicy } from '../../../shared/schema/route-policy.ts';
import { testConfig } from '../../worker/test-config.ts';
import { guaranteed } from '../guard/guaranteed-route.ts';

function configWith(change: Partial<RouteSpec>): Config {
  const config = testConfig();
  return { ...config, routes: config.routes.map((route, index) => (index === 0 ? { ...route, ...change } : route)) };
}

function problemsOf(change: Partial<RouteSpec>): string[] {
  const parsed = parseConfig(configWith(change));
  return parsed.ok ? [] : parsed.problems.map(({ path }) => path);
}

const arm = (name: string, change: Partial<PolicyArm> = {}): PolicyArm => ({
  name,
  policy: { kind: 'cheapest' },
  ...change,
});
const cascade = (...variants: string[]): PolicyArm['policy'] => ({
  kind: 'cascade',
  steps: variants.map((variant) => ({ variant, accept_confidence: 0.5 })),
});
const split = (...arms: PolicyArm[]): RoutePolicy => ({
  kind: 'split',
  arms: arms.map((one) => ({ ...one, weight: 1 })),
});
const rules = (policy: RoutePolicy, when = {}): Partial<RouteSpec> => ({ rules: [{ name: 'one', when, policy }] });

describe('a route', () => {
  it('is taken with everything that it may say', () => {
    const full: Partial<RouteSpec> = {
      policy: split(arm('a'), arm('b', { targets: ['lambda', 'sagemaker'] })),
      rules: [
        {
          name: 'vip',
          when: {
            tenants: ['acme'],
            priorities: ['high'],
            complexities: ['auto'],
            metadata: { plan: ['gold'] },
            min_input_chars: 1,
            max_input_chars: 9,
          },
          policy: {
            kind: 'canary',
            base: arm('old'),
            canary: arm('new', { policy: cascade('micro', 'large') }),
            share: 0.05,
            sticky: { metadata: 'user' },
          },
        },
      ],
      edge_preference: 0.5,
      max_cost_usd: 0.01,
      budget: { usd_per_hour: 1, burst_usd: 0.1 },
      exploration: { share: 0.01 },
      speculation: { priorities: ['critical'] },
      hedge: { max_extra_ratio: 0.05 },
      shadow: { share: 1, variant: 'base', target: 'lambda', max_per_minute: 60 },
      skip_above_difficulty: 0.3,
    };
    expect(problemsOf(full)).toEqual([]);
  });

  it('is taken as it was stored before any of that existed', () => {
    expect(problemsOf({})).toEqual([]);
  });

  it.each<[string, Partial<RouteSpec>, string]>([
    [
      'an arm with a step of no variant',
      { policy: split(arm('a'), arm('b', { policy: cascade('nano') })) },
      'routes[0].policy.arms[1].policy.steps[0].variant',
    ],
    ['a variant that is two steps', { policy: cascade('micro', 'base', 'micro') }, 'routes[0].policy.steps[2].variant'],
    [
      'a step that no place of its arm serves',
      { policy: split(arm('a'), arm('b', { policy: cascade('micro', 'large'), targets: ['edge', 'lambda'] })) },
      'routes[0].policy.arms[1].policy.steps[1].variant',
    ],
    ['two arms of one name', { policy: split(arm('a'), arm('a')) }, 'routes[0].policy.arms[1].name'],
    [
      'an arm of no target',
      { policy: split(arm('a'), arm('b', { targets: ['lambda', 'nowhere'] })) },
      'routes[0].policy.arms[1].targets[1]',
    ],
    [
      'a canary of no variant',
      { policy: { kind: 'canary', base: arm('a'), canary: arm('b', { policy: cascade('nano') }), share: 0.1 } },
      'routes[0].policy.canary.policy.steps[0].variant',
    ],
    [
      'a canary of no target',
      { policy: { kind: 'canary', base: arm('a', { targets: ['gone'] }), canary: arm('b'), share: 0.1 } },
      'routes[0].policy.base.targets[0]',
    ],
    ['a rule with a step of no variant', rules(cascade('nano')), 'routes[0].rules[0].policy.steps[0].variant'],
    [
      'a rule that no text fits',
      rules(cascade('micro'), { min_input_chars: 9, max_input_chars: 8 }),
      'routes[0].rules[0].when.min_input_chars',
    ],
    [
      'two rules of one name',
      { rules: [...(rules(cascade('micro')).rules ?? []), ...(rules(cascade('base')).rules ?? [])] },
      'routes[0].rules[1].name',
    ],
    [
      'metadata that no request can have',
      rules(cascade('micro'), { metadata: { 'Not A Key': ['x'] } }),
      'routes[0].rules[0].when.metadata.Not A Key',
    ],
    [
      'a shadow of no variant',
      { shadow: { share: 1, variant: 'nano', max_per_minute: 1 } },
      'routes[0].shadow.variant',
    ],
    [
      'a shadow at a place without the variant',
      { shadow: { share: 1, variant: 'large', target: 'lambda', max_per_minute: 1 } },
      'routes[0].shadow',
    ],
    ['more hedges than one in twenty', { hedge: { max_extra_ratio: 0.06 } }, 'routes[0].hedge.max_extra_ratio'],
    ['more exploring than one in twenty', { exploration: { share: 0.1 } }, 'routes[0].exploration.share'],
    [
      'a guarantee and a rule around it',
      { guarantee: { ...guaranteed, calibrations: [] }, ...rules({ kind: 'cheapest' }) },
      'routes[0].rules[0].policy',
    ],
    [
      'a guarantee and a rule that never asks the reference',
      { guarantee: { ...guaranteed, calibrations: [] }, ...rules(cascade('micro', 'base')) },
      'routes[0].rules[0].policy',
    ],
  ])('is refused with %s, naming the field', (_what, change, path) => {
    expect(problemsOf(change)).toEqual([path]);
  });

  it('keeps its guarantee under a rule that takes fewer of its shortcuts', () => {
    expect(problemsOf({ guarantee: { ...guaranteed, calibrations: [] }, ...rules(cascade('base', 'large')) })).toEqual(
      [],
    );
  });
});
