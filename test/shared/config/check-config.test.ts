import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../shared/config/parse-config.ts';
import type { Config } from '../../../shared/schema/config.ts';
import { testConfig } from '../../worker/test-config.ts';

type Edit = (config: Config) => unknown;

const cases: readonly [string, Edit, string][] = [
  ['an unknown key', (config) => ({ ...config, modles: [] }), '(document)'],
  ['a model named twice', (config) => ({ ...config, models: [...config.models, config.models[0]] }), 'models[2].name'],
  [
    'a target named twice',
    (config) => ({ ...config, targets: [...config.targets, config.targets[0]] }),
    'targets[3].id',
  ],
  [
    'a target serving no model',
    (config) => edited(config, 'targets[0].serves[0].model', 'nobody'),
    'targets[0].serves[0].model',
  ],
  [
    'a target serving no variant',
    (config) => edited(config, 'targets[0].serves[0].variant', 'nano'),
    'targets[0].serves[0].variant',
  ],
  [
    'a latency whose p50 is above its p95',
    (config) => edited(config, 'targets[0].serves[0].latency_prior.p50_ms', 500),
    'targets[0].serves[0].latency_prior',
  ],
  ['a route for no model', (config) => edited(config, 'routes[0].model', 'nobody'), 'routes[0].model'],
  [
    'a step of no variant',
    (config) => edited(config, 'routes[0].policy.steps[1].variant', 'nano'),
    'routes[0].policy.steps[1].variant',
  ],
  [
    'an impossible threshold',
    (config) => edited(config, 'routes[0].policy.steps[0].accept_confidence', 1.2),
    'routes[0].policy.steps[0].accept_confidence',
  ],
  [
    'a step that no target serves',
    (config) => ({ ...config, targets: config.targets.filter(({ id }) => id !== 'lambda') }),
    'routes[0].policy.steps[1].variant',
  ],
  ...['mailto:someone', 'data:,x', 'ftp://host/', 'https://name:secret@host/'].flatMap((url): typeof cases => [
    [
      `requests sent to ${url}`,
      (config) => edited(config, 'targets[2].endpoint.base_url', url),
      'targets[2].endpoint.base_url',
    ],
    [
      `signed requests sent to ${url}`,
      (config) => edited(config, 'targets[1].endpoint.function_url', url),
      'targets[1].endpoint.function_url',
    ],
  ]),
  [
    'a region that would end the host it is a part of',
    (config) => edited(config, 'targets[2].region', 'elsewhere.example/#'),
    'targets[2].region',
  ],
  [
    'a price whose sums would be no numbers',
    (config) => edited(config, 'targets[2].price', { kind: 'flat', usd_per_request: 1e300 }),
    'targets[2].price.usd_per_request',
  ],
  [
    'a variant served twice by one place',
    (config) => edited(config, 'targets[0].serves[1]', config.targets[0]?.serves[0]),
    'targets[0].serves[1].variant',
  ],
  [
    'a place asked for what its protocol cannot say',
    (config) => edited(config, 'targets[2].endpoint.speaks', 'chat_completions'),
    'targets[2].serves[0].model',
  ],
  [
    'a retry budget that never holds a retry',
    (config) => ({ ...config, retry_budget: { ratio: 0.5, burst: 0.5 } }),
    'retry_budget.burst',
  ],
  [
    'a breaker that opens for longer than its longest',
    (config) => edited(config, 'breaker.open_ms', 90_000),
    'breaker.open_ms',
  ],
  [
    'a high priority that is shed before a normal one',
    (config) => edited(config, 'limits.shed_above.normal', 0.99),
    'limits.shed_above.normal',
  ],
  [
    'a reference that is no variant',
    (config) => edited(config, 'models[0].reference_variant', 'nano'),
    'models[0].reference_variant',
  ],
  [
    'an out-of-scope label that is no label',
    (config) => edited(config, 'models[0].out_of_scope_label', 'nope'),
    'models[0].out_of_scope_label',
  ],
  ['a model without a route', (config) => ({ ...config, routes: config.routes.slice(1) }), 'models[0].name'],
  [
    'a key that is not a digest',
    (config) => ({
      ...config,
      api_keys: [{ id: 'a', sha256: 'secret', tenant: 't', scopes: ['infer'], enabled: true }],
    }),
    'api_keys[0].sha256',
  ],
  [
    'an asset larger than assets may be',
    () => edited(placedAs('asset'), 'models[0].variants[0].size_bytes', 26_214_401),
    'targets[0].serves[0].variant',
  ],
  [
    'weights outside their place',
    () => edited(placedAs('asset'), 'models[0].variants[0].weights.path', '../secrets'),
    'models[0].variants[0].weights.path',
  ],
  [
    'ONNX Runtime at the edge serving what says nothing of its scores',
    () => edited(placedAs('r2'), 'targets[0].endpoint.runtime', 'onnx'),
    'targets[0].serves[0].variant',
  ],
  [
    'ONNX Runtime at the edge serving what only the router’s script carries',
    () => edited(placedAs('bundled', { temperature: 1, scores: 'logits' }), 'targets[0].endpoint.runtime', 'onnx'),
    'targets[0].serves[0].variant',
  ],
  [
    'an address that is none',
    (config) => edited(config, 'targets[1].endpoint.function_url', 'nowhere'),
    'targets[1].endpoint.function_url',
  ],
  [
    'utilization of zero, which would divide by it',
    (config) => edited(config, 'targets[2].price.utilization_ratio', 0),
    'targets[2].price.utilization_ratio',
  ],
];

function placedAs(kind: 'bundled' | 'asset' | 'r2', onnx?: unknown): Config {
  const config = edited(testConfig(), 'models[0].variants[0].weights', { kind, path: 'mood/weights' }) as Config;
  return onnx === undefined ? config : (edited(config, 'models[0].variants[0].onnx', onnx) as Config);
}

/** A copy with the value at the path changed. */
function edited(config: Config, path: string, value: unknown): unknown {
  const copy: unknown = structuredClone(config);
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  let at = copy as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[keys.at(-1) ?? ''] = value;
  return copy;
}

describe('a configuration', () => {
  it('is taken when it is whole', () => {
    expect(parseConfig(testConfig())).toMatchObject({ ok: true });
  });

  it.each(cases)('with %s is refused with the path of the field', (_, edit, path) => {
    const parsed = parseConfig(edit(testConfig()));
    expect(parsed.ok ? [] : parsed.problems.map((problem) => problem.path)).toContain(path);
  });

  it.each([null, [], 'text', 7, {}])('is not %o', (value) => {
    expect(parseConfig(value).ok).toBe(false);
  });
});
