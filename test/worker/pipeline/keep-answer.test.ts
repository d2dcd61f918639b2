/** Whose answers may stand in the cache for whose. */
import { describe, expect, it } from 'vitest';
import type { Config, RouteSpec, TargetSpec } from '../../../shared/schema/config.ts';
import { answering, createHarness, failing } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };

function configWith(route: Partial<RouteSpec>, targets: (spec: TargetSpec) => TargetSpec = (spec) => spec): Config {
  return testConfig((config) => ({
    ...config,
    routes: config.routes.map((one) => (one.name === 'mood' ? { ...one, ...route } : one)),
    targets: config.targets.map(targets),
  }));
}

const large = { kind: 'most_accurate' } as const;

describe('the arms of a split', () => {
  const config = configWith({
    policy: {
      kind: 'split',
      sticky: { metadata: 'user' },
      arms: [
        { name: 'small', weight: 1, policy: { kind: 'cheapest' } },
        { name: 'large', weight: 1, policy: { kind: 'most_accurate' } },
      ],
    },
  });

  it('never answer for one another from the cache: who is kept on one gets that one’s answers', async () => {
    const harness = createHarness({ config });
    const variantOf = new Map<string, string>();
    for (let user = 0; user < 12; user += 1) {
      const { body } = await harness.post({ ...ask, metadata: { user: `u${user}` } });
      variantOf.set(`u${user}`, body.variant);
    }
    const fresh = await Promise.all(
      [...variantOf.keys()].map((user) => harness.post({ ...ask, cache: 'bypass', metadata: { user } })),
    );
    expect([...variantOf.values()]).toEqual(fresh.map(({ body }) => body.variant));
    expect(new Set(variantOf.values())).toEqual(new Set(['micro', 'large']));
  });
});

describe('the most accurate answer', () => {
  const config = configWith({ policy: large });
  const variants = async (harness: ReturnType<typeof createHarness>, ...wishes: object[]): Promise<string[]> => {
    const seen: string[] = [];
    for (const wish of wishes) {
      const { body } = await harness.post({ ...ask, ...wish });
      seen.push(`${body.cache} ${body.variant}`);
    }
    return seen;
  };

  it('is no hurried, thrifty or unlucky caller’s from the cache, who had to do with less', async () => {
    for (const wish of [{ latency_requirement: 5 }, { max_cost_usd: 0.000_000_5 }])
      expect(await variants(createHarness({ config }), wish, {}, {})).toEqual([
        'miss micro',
        'miss large',
        'hit large',
      ]);
    const harness = createHarness({ config });
    harness.scripts['sagemaker'] = failing('upstream_error');
    expect(await variants(harness, {})).toEqual(['miss base']);
    harness.scripts['sagemaker'] = answering(0.99);
    expect(await variants(harness, {}, {})).toEqual(['miss large', 'hit large']);
  });

  it('is kept where nothing better is there for anybody', async () => {
    const alone = configWith({ policy: large }, (spec) => ({ ...spec, enabled: spec.id === 'edge' }));
    expect(await variants(createHarness({ config: alone }), {}, {})).toEqual(['miss micro', 'hit micro']);
    const wish = { placement: 'edge' };
    expect(await variants(createHarness({ config }), wish, wish)).toEqual(['miss micro', 'hit micro']);
  });
});

describe('a batch of a cascade', () => {
  it('is kept where a step failed and the next one answered', async () => {
    const harness = createHarness({ config: configWith({}) });
    harness.scripts['edge'] = (call) => ({
      kind: 'answered',
      predictions: (call.input.kind === 'text' ? call.input.texts : []).map((text) => ({
        kind: 'class',
        label: 'yes',
        confidence: text === 'hard' ? 0.3 : 0.99,
        top: [],
        truncated: false,
      })),
      computeMs: 1,
    });
    harness.scripts['lambda'] = failing('upstream_error');
    const both = { ...ask, input_data: ['easy', 'hard'] };
    expect([(await harness.post(both)).body.cache, (await harness.post(both)).body.cache]).toEqual(['miss', 'hit']);
  });
});
