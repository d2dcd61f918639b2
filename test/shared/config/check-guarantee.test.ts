import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../../shared/config/check-config.ts';
import { parseConfig } from '../../../shared/config/parse-config.ts';
import type { CalibrationRecord } from '../../../shared/guard/guarantee-schema.ts';
import type { Config, RouteSpec } from '../../../shared/schema/config.ts';
import { testConfig } from '../../worker/test-config.ts';
import { guaranteed, record } from '../guard/guaranteed-route.ts';

function withRoute(change: (route: RouteSpec) => RouteSpec): Config {
  return testConfig((config) => ({
    ...config,
    routes: config.routes.map((route, index) => (index === 0 ? change({ ...route, guarantee: guaranteed }) : route)),
  }));
}

const withRecord = (change: Partial<CalibrationRecord>): Config =>
  withRoute((route) => ({ ...route, guarantee: { ...guaranteed, calibrations: [{ ...record, ...change }] } }));

describe('checking a guarantee', () => {
  it('passes one whose record fits', () => {
    expect(checkConfig(withRoute((route) => route))).toEqual([]);
    expect(parseConfig(structuredClone(withRoute((route) => route))).ok).toBe(true);
  });

  it.each([
    [
      'a policy without shortcuts',
      withRoute((route) => ({ ...route, policy: { kind: 'cheapest' } })),
      'needs the policy cascade',
    ],
    [
      'a cascade that does not end with the reference',
      withRoute((route) => ({
        ...route,
        policy: { kind: 'cascade', steps: [{ variant: 'micro', accept_confidence: 0.5 }] },
      })),
      'as the last step',
    ],
    ['a record of no shortcut', withRecord({ shortcut: 'large' }), 'is no shortcut of this route'],
    ['a record of another model version', withRecord({ model_version: '0.9.0' }), 'model version 0.9.0'],
    ['a record that shows too little', withRecord({ min_agreement: 0.9 }), 'agreement of 0.9 only'],
    [
      'two records of one shortcut',
      withRoute((route) => ({
        ...route,
        guarantee: { ...guaranteed, calibrations: [record, { ...record, id: 'c2' }] },
      })),
      'used twice',
    ],
  ])('refuses %s', (_what, config, message) => {
    expect(checkConfig(config)).toContainEqual(
      expect.objectContaining({
        path: expect.stringContaining('routes[0].guarantee') as string,
        message: expect.stringContaining(message) as string,
      }),
    );
  });

  it('refuses promises that mean nothing or cannot be shown', () => {
    for (const min_agreement of [0.3, 1, Number.NaN]) {
      const config = withRoute((route) => ({ ...route, guarantee: { ...guaranteed, min_agreement } }));
      expect(parseConfig(JSON.parse(JSON.stringify(config))).ok).toBe(false);
    }
  });
});
