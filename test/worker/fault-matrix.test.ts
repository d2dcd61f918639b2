/**
 * Every kind of place x every fault x every policy, over real sockets and the real adapters: an answer from elsewhere or one
 * clear error, inside the deadline and the money, the breaker as it should be, escalation and fallback counted apart.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../local/lib/fault.ts';
import { summarizeMetrics } from '../../shared/measure/summary.ts';
import { breakerVerdict } from '../../shared/resilience/breaker.ts';
import type { Config, ModelSpec, RouteSpec, TargetSpec } from '../../shared/schema/config.ts';
import { createStaticCredentials } from '../../worker/aws/credentials.ts';
import type { Target } from '../../worker/ports.ts';
import { createEdgeTarget } from '../../worker/targets/edge.ts';
import { createGpuTarget } from '../../worker/targets/gpu.ts';
import type { DeviceHubPort } from '../../worker/devices/hub-port.ts';
import type { Hubs } from '../../worker/devices/hubs.ts';
import { createLambdaTarget } from '../../worker/targets/lambda.ts';
import { createMcuTarget } from '../../worker/targets/mcu.ts';
import { createSageMakerTarget } from '../../worker/targets/sagemaker.ts';
import { poolOf } from '../fakes/device-pool.ts';
import { fakeModel, shelfOf, type Load } from '../fakes/engine-models.ts';
import { gpuSpec } from '../fakes/gpu-spec.ts';
import { SERVER_TOKEN, startOpenInferenceServer, type OpenInferenceFake } from '../fakes/open-inference-server.ts';
import { predictText } from '../fakes/sample-call.ts';
import { startUpstreamServer, type UpstreamServer } from '../fakes/upstream-server.ts';
import { KEY, REGION } from '../fixtures/local/keys.ts';
import { createHarness, type Harness } from './harness.ts';
import { testConfig } from './test-config.ts';

const clock = { now: () => Date.now() };
const DEADLINE_MS = 3_000;
/** What a machine with other work may add to a timer. */
const LATE_MS = 1_500;
const MAX_COST_USD = 0.001;
const LABELS = ['yes', 'no', 'oos'];

type Kind = 'edge' | 'gpu' | 'mcu' | 'lambda' | 'sagemaker';
type Trouble = Fault | { readonly kind: 'expired_credentials' };

const VARIANT_OF: Readonly<Record<Kind, string>> = {
  edge: 'micro',
  mcu: 'micro',
  gpu: 'base',
  lambda: 'base',
  sagemaker: 'large',
};

const troubles: readonly [Trouble, RegExp][] = [
  [{ kind: 'slow', ms: 10_000 }, /^timeout$/],
  [{ kind: 'refuse' }, /^connect_failed$|^cut$/],
  [{ kind: 'cut_before_headers' }, /^cut$/],
  [{ kind: 'stall_after_headers' }, /^timeout$/],
  [{ kind: 'cut_mid_body' }, /^cut$|^garbage$/],
  [{ kind: 'garbage' }, /^garbage$|^cut$/],
  [{ kind: 'status', status: 429 }, /^throttled$/],
  [{ kind: 'status', status: 500 }, /^upstream_error$/],
  [{ kind: 'expired_credentials' }, /^credentials$/],
];

/** Every policy asks the place in trouble: it is the cheapest, the fastest and the best there is. */
const policiesOf = (variant: string): readonly [string, RouteSpec['policy']][] => {
  const steps = ['micro', 'base', 'large'].map((step) => ({
    variant: step,
    accept_confidence: step === 'base' ? 0.7 : 0.9,
  }));
  const walk = {
    kind: 'cascade' as const,
    steps: variant === 'large' ? steps.filter((step) => step.variant !== 'base') : steps,
  };
  return [
    ['cascade', walk],
    ['cheapest', { kind: 'cheapest' }],
    ['fastest', { kind: 'fastest' }],
    ['most_accurate', { kind: 'most_accurate' }],
    [
      'split',
      {
        kind: 'split',
        arms: [
          { name: 'a', weight: 1, policy: { kind: 'cheapest' } },
          { name: 'b', weight: 1, policy: { kind: 'fastest' } },
        ],
      },
    ],
    [
      'canary',
      {
        kind: 'canary',
        share: 1,
        base: { name: 'old', policy: { kind: 'cheapest' } },
        canary: { name: 'new', policy: { kind: 'fastest' } },
      },
    ],
  ];
};

class Places {
  readonly #lambda: UpstreamServer;
  readonly #sagemaker: UpstreamServer;
  readonly #gpu: OpenInferenceFake;

  constructor(lambda: UpstreamServer, sagemaker: UpstreamServer, gpu: OpenInferenceFake) {
    this.#lambda = lambda;
    this.#sagemaker = sagemaker;
    this.#gpu = gpu;
  }

  async setFault(kind: Kind, fault: Fault | null): Promise<void> {
    if (kind === 'lambda') await this.#lambda.setFault(fault);
    if (kind === 'sagemaker') await this.#sagemaker.setFault(fault);
    if (kind === 'gpu') await this.#gpu.setFault(fault);
  }

  config(inTrouble: Kind, policy: RouteSpec['policy'], trouble: Trouble): Config {
    const timeout_ms = trouble.kind === 'slow' || trouble.kind === 'stall_after_headers' ? 60 : 2_500;
    return testConfig((config) => ({
      ...config,
      breaker: { failure_ratio: 0.5, minimum_calls: 2, window_ms: 60_000, open_ms: 60_000, max_open_ms: 60_000 },
      models: config.models.map((model) => (model.name === 'mood' ? bestOf(model, VARIANT_OF[inTrouble]) : model)),
      routes: config.routes.map((route) => (route.name === 'mood' ? { ...route, policy } : route)),
      targets: this.#targets(config, inTrouble).map((spec) =>
        spec.endpoint.kind === inTrouble ? { ...preferred(spec), timeout_ms } : spec,
      ),
    }));
  }

  /** The place of the middle variant is the one in trouble, or else the function. */
  #targets({ targets }: Config, inTrouble: Kind): TargetSpec[] {
    const gpu = gpuSpec(this.#gpu.url, true, {
      'mood/base': { name: 'mood', version: null, input: 'TEXT', output: { name: 'PROBS', holds: 'probabilities' } },
    });
    const serves = gpu.serves.filter(({ model }) => model === 'mood').map((served) => ({ ...served, variant: 'base' }));
    return targets.flatMap((spec): TargetSpec[] => {
      const { kind } = spec.endpoint;
      const local = { ...spec, region: REGION };
      if (kind === 'lambda') {
        return inTrouble === 'gpu'
          ? [{ ...gpu, serves }]
          : [{ ...local, endpoint: { kind, function_url: this.#lambda.url } }];
      }
      if (kind === 'edge' && inTrouble === 'mcu')
        return [{ ...spec, id: 'mcu', endpoint: { kind: 'mcu', pool: 'devices', shards: 1 } }, spec];
      if (kind === 'sagemaker')
        return [{ ...local, endpoint: { kind, endpoint_name: 'large', base_url: this.#sagemaker.url } }];
      return [spec];
    });
  }

  open(config: Config, inTrouble: Kind, trouble: Trouble, hubs: Hubs): (spec: TargetSpec) => Target | undefined {
    const isExpired = trouble.kind === 'expired_credentials';
    const expired = { ...KEY, secretAccessKey: 'no longer' };
    return (spec) => {
      const { kind } = spec.endpoint;
      const credentials = createStaticCredentials(isExpired && kind === inTrouble ? expired : KEY);
      if (kind === 'lambda') return createLambdaTarget({ spec, clock, credentials });
      if (kind === 'sagemaker') return createSageMakerTarget({ spec, clock, credentials });
      if (kind === 'mcu') return createMcuTarget({ spec, clock, hubs });
      if (kind === 'gpu') return createGpuTarget({ spec, clock, secretOf: () => (isExpired ? 'old' : SERVER_TOKEN) });
      const load = inTrouble === 'edge' ? brokenLoad(trouble) : async () => honestModel;
      return createEdgeTarget({ spec, models: config.models, clock, shelf: shelfOf(load, clock) });
    };
  }
}

function bestOf(model: ModelSpec, variant: string): ModelSpec {
  return {
    ...model,
    variants: model.variants.map((one) => (one.name === variant ? { ...one, accuracy: 0.999 } : one)),
  };
}

function preferred(spec: TargetSpec): TargetSpec {
  return {
    ...spec,
    price: { kind: 'flat', usd_per_request: 0 },
    serves: spec.serves.map((served) => ({
      ...served,
      latency_prior: { p50_ms: 0.1, p95_ms: 0.2 },
      load_prior_ms: 0.1,
    })),
  };
}

const honestModel = fakeModel(LABELS, (input) => {
  const { label, confidence } = predictText(input.kind === 'text' ? input.text : '');
  const probabilities = Float32Array.from(LABELS, (name) => (name === label ? confidence : 0));
  return { labelIndex: LABELS.indexOf(label), label, confidence, probabilities, truncated: false };
});

/** What a fault of the wire is in the isolate: weights that never come, or that are not what they should be. */
function brokenLoad(trouble: Trouble): Load {
  if (trouble.kind === 'slow' || trouble.kind === 'stall_after_headers') return () => new Promise(() => undefined);
  return () => Promise.reject(new Error('the weights are broken'));
}

/** What a fault of the wire is where devices dial out to a hub. */
function hubsIn(trouble: Trouble): Promise<Hubs> | Hubs {
  switch (trouble.kind) {
    case 'slow':
    case 'stall_after_headers':
      return poolOf('hangs');
    case 'refuse':
    case 'cut_before_headers':
    case 'cut_mid_body':
      return hubsThat(() => Promise.reject(new Error('the hub is gone')));
    case 'garbage':
      return hubsThat(async () => ({ kind: 'answered', items: [] }));
    case 'status':
      return trouble.status === 429
        ? hubsThat(async () => ({ kind: 'failed', reason: 'throttled', detail: 'every device is busy' }))
        : poolOf('breaks');
    case 'expired_credentials':
      return hubsThat(async () => ({ kind: 'failed', reason: 'credentials', detail: 'the token ran out' }));
  }
}

function hubsThat(infer: DeviceHubPort['infer']): Hubs {
  const port: DeviceHubPort = {
    fetch: () => Promise.reject(new Error('nobody dials here')),
    infer,
    cancel: async () => undefined,
    list: async () => [],
  };
  return { hub: () => port, hubOf: () => port };
}

let places: Places;
const closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const [lambda, sagemaker, gpu] = await Promise.all([
    startUpstreamServer('lambda'),
    startUpstreamServer('sagemaker'),
    startOpenInferenceServer(),
  ]);
  closing.push(
    () => lambda.close(),
    () => sagemaker.close(),
    () => gpu.close(),
  );
  places = new Places(lambda, sagemaker, gpu);
});
afterAll(async () => {
  for (const close of closing) await close();
});

async function harnessOf(kind: Kind, trouble: Trouble, policy: RouteSpec['policy']): Promise<Harness> {
  const config = places.config(kind, policy, trouble);
  await places.setFault(kind, trouble.kind === 'expired_credentials' ? null : trouble);
  return createHarness({ config, clock, open: places.open(config, kind, trouble, await hubsIn(trouble)) });
}

const ask = { model_name: 'mood', latency_requirement: DEADLINE_MS, max_cost_usd: MAX_COST_USD, cache: 'bypass' };

describe.each<Kind>(['edge', 'gpu', 'mcu', 'lambda', 'sagemaker'])('%s in trouble', (kind) => {
  const idOf = (config: Config) => config.targets.find((target) => target.endpoint.kind === kind)?.id ?? '';

  for (const [trouble, reason] of troubles) {
    const name = trouble.kind === 'status' ? `answering ${trouble.status}` : trouble.kind;
    it.each(policiesOf(VARIANT_OF[kind]))(`${name}: another place answers under %s`, async (_policy, policy) => {
      const harness = await harnessOf(kind, trouble, policy);
      try {
        const id = idOf(harness.config);
        const first = await harness.post({ ...ask, input_data: 'yes' });
        const second = await harness.post({ ...ask, input_data: 'no' });
        for (const { status, body } of [first, second]) {
          expect(status).toBe(200);
          expect(body.target_used.id).not.toBe(id);
          expect(body.cost_usd).toBeLessThanOrEqual(MAX_COST_USD);
          const chain = body.decision.fallback_chain;
          expect(new Set(chain.map(({ target }) => target)).size).toBe(chain.length);
          chain.forEach(({ why }, at) => {
            const before = chain[at - 1];
            // A fallback follows a failure, an escalation an answer that was not good enough; nothing else.
            expect(why).toBe(before === undefined ? 'first' : before.outcome === 'failed' ? 'fallback' : 'escalation');
          });
        }
        const failure = first.body.decision.fallback_chain.find(({ target }) => target === id);
        // Weights that cannot be loaded are known to be so before they are asked for a second time.
        if (kind !== 'edge') expect(failure?.reason).toMatch(reason);
        else expect(failure?.reason ?? 'model_broken').toMatch(/^timeout$|^model_broken$/);

        const attempts = harness.records.flatMap((record) => record.attempts);
        const { fallback_rate, escalation_rate } = summarizeMetrics(harness.services.sink.pending(new Set()));
        const shareWith = (why: string) =>
          harness.records.filter((record) => record.attempts.some((attempt) => attempt.why === why)).length / 2;
        expect([fallback_rate, escalation_rate]).toEqual([shareWith('fallback'), shareWith('escalation')]);
        for (const record of harness.records) expect(record.latencyMs).toBeLessThan(DEADLINE_MS + LATE_MS);

        const failures = attempts.filter(({ target, outcome }) => target === id && outcome === 'failed').length;
        const isThrottled = trouble.kind === 'status' && trouble.status === 429;
        const verdict = breakerVerdict(harness.services.state.breakerOf(id), clock.now());
        // Two failures open it; throttling passes by waiting, and broken weights are no fault of the isolate.
        if (kind !== 'edge') expect(verdict).toBe(failures >= 2 && !isThrottled ? 'open' : 'closed');
        if (verdict === 'open') {
          const third = await harness.post({ ...ask, input_data: 'maybe', explain: true });
          expect(third.status).toBe(200);
          expect(third.body.decision.fallback_chain.some(({ target }) => target === id)).toBe(false);
          expect(third.body.decision.refused).toContainEqual(
            expect.objectContaining({ target: id, reason: 'breaker_open' }),
          );
        }
      } finally {
        await places.setFault(kind, null);
      }
    });

    it(`${name}: one clear error where no other place may answer`, async () => {
      const harness = await harnessOf(kind, trouble, { kind: 'cheapest' });
      const { config } = harness;
      harness.config = { ...config, targets: config.targets.filter(({ endpoint }) => endpoint.kind === kind) };
      try {
        const { status, body } = await harness.post({ ...ask, input_data: 'yes', variant: VARIANT_OF[kind] });
        expect([status, body.error.code]).toEqual([
          503,
          expect.stringMatching(/^chain_exhausted$|^target_unavailable$/),
        ]);
        expect(body.error.message).not.toBe('');
        expect(harness.records[0]?.latencyMs).toBeLessThan(DEADLINE_MS + LATE_MS);
        expect(harness.records[0]?.costNanos).toBeLessThanOrEqual(MAX_COST_USD * 1e9);
        expect(harness.services.state.inFlight).toBe(0);
      } finally {
        await places.setFault(kind, null);
      }
    });
  }
});
