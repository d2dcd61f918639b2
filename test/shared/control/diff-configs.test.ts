import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffConfigs } from '../../../shared/control/diff-configs.ts';
import { testConfig } from '../../worker/test-config.ts';

describe('the difference between configurations', () => {
  it('is nothing between equal ones', () => {
    expect(diffConfigs(testConfig(), structuredClone(testConfig()))).toEqual([]);
  });

  it('names a new element of a list alone, wherever it stands', () => {
    const before = testConfig();
    const [edge] = before.targets;
    if (edge === undefined) throw new Error('no target');
    const added = { ...edge, id: 'edge-two' };
    const after = { ...before, targets: [added, ...before.targets] };
    expect(diffConfigs(before, after)).toEqual([{ kind: 'added', path: 'targets[edge-two]', to: added }]);
    expect(diffConfigs(after, before)).toEqual([{ kind: 'removed', path: 'targets[edge-two]', from: added }]);
  });

  it('goes down to the field', () => {
    const after = testConfig((config) => ({
      ...config,
      targets: config.targets.map((target) => (target.id === 'lambda' ? { ...target, enabled: false } : target)),
      description: 'other',
    }));
    expect(diffConfigs(testConfig(), after)).toEqual([
      { kind: 'changed', path: 'description', from: 'shipped default with cloud places', to: 'other' },
      { kind: 'changed', path: 'targets[lambda].enabled', from: true, to: false },
    ]);
  });

  it('tells apart what a target serves by model and variant', () => {
    const before = testConfig();
    const after = testConfig((config) => ({
      ...config,
      targets: config.targets.map((target) =>
        target.id === 'edge' ? { ...target, serves: target.serves.slice(1) } : target,
      ),
    }));
    expect(diffConfigs(before, after).map(({ kind, path }) => [kind, path])).toEqual([
      ['removed', 'targets[edge].serves[mood/micro]'],
    ]);
  });

  it('sees steps that changed places', () => {
    const after = testConfig((config) => ({
      ...config,
      routes: config.routes.map((route) =>
        route.name === 'mood' && route.policy.kind === 'cascade'
          ? { ...route, policy: { ...route.policy, steps: route.policy.steps.toReversed() } }
          : route,
      ),
    }));
    expect(diffConfigs(testConfig(), after)).toEqual([
      {
        kind: 'changed',
        path: 'routes[mood].policy.steps.order',
        from: ['micro', 'base', 'large'],
        to: ['large', 'base', 'micro'],
      },
    ]);
  });

  it('is empty exactly where two documents are the same, whatever they hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
        expect(diffConfigs(left, structuredClone(left))).toEqual([]);
        const differ = canonical(left) !== canonical(right);
        expect(diffConfigs(left, right).length > 0).toBe(differ);
      }),
    );
  });
});

/** JSON with sorted keys; -0 reads back as 0. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
