/**
 * The app over fakes: a small configuration, scripted targets, a clock that tests move, records and log lines kept.
 */
import { inputCount } from '../../shared/schema/model-input.ts';
import { createApp } from '../../worker/app.ts';
import { IsolateState } from '../../worker/isolate-state.ts';
import { createDevices } from '../../worker/devices/directory.ts';
import { createLogger } from '../../worker/logger.ts';
import { createAnswerCache } from '../../worker/pipeline/lookup.ts';
import type { Services } from '../../worker/pipeline/services.ts';
import type { StoredAnswer } from '../../worker/pipeline/stored-answer.ts';
import type { MetricsStore, SharedCache, Target, TargetCall, TargetResult } from '../../worker/ports.ts';
import { createGuardKeeper } from '../../worker/store/guard-keeper.ts';
import { createLruCache } from '../../worker/store/lru-cache.ts';
import { addAudits, addRecord, emptyMetrics, mergeMetrics } from '../../shared/measure/metrics.ts';
import type { Config, TargetSpec } from '../../shared/schema/config.ts';
import type { RequestRecord } from '../../shared/schema/record.ts';
import { testConfig } from './test-config.ts';

export type Script = (call: TargetCall, signal: AbortSignal) => TargetResult | Promise<TargetResult>;

export type Harness = {
  readonly app: ReturnType<typeof createApp>;
  readonly services: Services;
  readonly records: RequestRecord[];
  readonly lines: string[];
  /** What each target does with a call; replace at will. */
  readonly scripts: Record<string, Script>;
  readonly calls: { target: string; call: TargetCall }[];
  readonly shared: Map<string, string>;
  /** Work that goes on after answers. */
  readonly background: Promise<unknown>[];
  readonly context: NonNullable<Parameters<ReturnType<typeof createApp>['request']>[3]>;
  nowMs: number;
  /** What the next request draws. */
  random: number;
  config: Config;
  post(body: unknown, headers?: Record<string, string>): Promise<{ status: number; body: Answer; headers: Headers }>;
};

/** Only what tests look at. */
type Answer = {
  readonly request_id: string;
  readonly variant: string;
  readonly predictions: readonly {
    label: string;
    confidence: number;
    variant: string;
    target: string;
    accepted: boolean;
  }[];
  readonly target_used: { kind: string; id: string; region: string };
  readonly cost_usd: number;
  readonly cache: string;
  readonly decision: {
    readonly fallback_chain: readonly {
      target: string;
      variant: string;
      why: string;
      outcome: string;
      reason: string | null;
    }[];
    readonly missed: readonly string[];
    readonly reason: string;
    readonly cloud_only_cost_usd: number;
    readonly config_version: string;
    readonly refused?: readonly { target: string; variant: string; reason: string }[];
    readonly planned?: readonly { target: string; variant: string; role: string; accept_confidence: number }[];
  };
  readonly error: { code: string; message: string; field?: string; request_id: string };
};

export function answering(confidence: number, label = 'yes'): Script {
  return (call) => {
    const count = inputCount(call.input);
    const prediction = { kind: 'class' as const, label, confidence, top: [{ label, confidence }], truncated: false };
    return { kind: 'answered', predictions: Array.from({ length: count }, () => prediction), computeMs: 2 };
  };
}

export function failing(reason: Extract<TargetResult, { kind: 'failed' }>['reason']): Script {
  return () => ({ kind: 'failed', reason, detail: `scripted ${reason}`, computeMs: 0 });
}

export function createHarness(
  overrides: Partial<
    Pick<
      Services,
      'graphqlIntrospection' | 'access' | 'metricsStore' | 'guard' | 'clock' | 'batches' | 'sink' | 'difficulty'
    >
  > & {
    config?: Config;
    /** In place of one that always has `config` in force. */
    keeper?: Services['config'];
    /** Real places in the scripted ones' stead; undefined: scripted all the same. */
    open?: (spec: TargetSpec) => Target | undefined;
  } = {},
): Harness {
  const records: RequestRecord[] = [];
  const lines: string[] = [];
  const calls: Harness['calls'] = [];
  const shared = new Map<string, string>();
  const background: Promise<unknown>[] = [];
  const scripts: Record<string, Script> = {
    edge: answering(0.99),
    lambda: answering(0.99),
    sagemaker: answering(0.99),
  };
  const state = { nowMs: 1_700_000_000_000, random: 0.5, config: overrides.config ?? testConfig() };
  const clock = overrides.clock ?? { now: () => state.nowMs };
  const logger = createLogger(clock, 'debug', (line) => lines.push(line));
  const counted = emptyMetrics();
  const sharedCache: SharedCache = {
    get: async (key) => shared.get(key),
    put: async (key, value) => {
      shared.set(key, value);
    },
  };

  function target(spec: TargetSpec): Target {
    return {
      spec,
      unreachable: undefined,
      async infer(call, signal) {
        calls.push({ target: spec.id, call });
        return (
          (await scripts[spec.id]?.(call, signal)) ?? {
            kind: 'failed',
            reason: 'connect_failed',
            detail: 'no script',
            computeMs: 0,
          }
        );
      },
      check: () => Promise.resolve({ ok: true, detail: 'scripted' }),
    };
  }

  const inForce = () => ({
    config: state.config,
    version: '7',
    source: 'dynamodb' as const,
    inForceSinceMs: 1_699_999_999_000,
  });
  const made = new WeakMap<Config, ReadonlyMap<string, Target>>();
  const services: Services = {
    clock,
    random: () => state.random,
    devices: createDevices(undefined),
    batches: overrides.batches,
    newRequestId: () => 'generated-id',
    graphqlIntrospection: overrides.graphqlIntrospection ?? true,
    traceSampleRatio: 0,
    logger,
    config: overrides.keeper ?? {
      current: inForce,
      ready: async () => inForce(),
      refresh: async () => undefined,
      status: () => ({ ...inForce(), lastCheckedMs: state.nowMs, lastError: null }),
    },
    access: overrides.access ?? { deploymentKeySha256: undefined, waitForStoredConfig: false },
    state: new IsolateState(),
    targetsOf: (config) => {
      const targets =
        made.get(config) ?? new Map(config.targets.map((spec) => [spec.id, overrides.open?.(spec) ?? target(spec)]));
      made.set(config, targets);
      return targets;
    },
    cache: createAnswerCache(createLruCache<StoredAnswer>(1_000_000), sharedCache, clock),
    difficulty: overrides.difficulty ?? { of: () => undefined },
    guard: overrides.guard ?? createGuardKeeper({ store: undefined, clock, random: () => 0.5, isolateId: 'test' }),
    sink: overrides.sink ?? {
      addAudits: (audits) => addAudits(counted, audits),
      add: (record) => {
        records.push(record);
        addRecord(counted, record);
      },
      pending: () => {
        const sum = emptyMetrics();
        mergeMetrics(sum, counted);
        return sum;
      },
      flush: async () => undefined,
      flushWhenOver: () => undefined,
    },
    metricsStore: overrides.metricsStore satisfies MetricsStore | undefined,
  };
  const app = createApp(services);
  const context = {
    waitUntil: (work: Promise<unknown>) => void background.push(work),
    passThroughOnException: () => undefined,
    props: {},
  };
  return {
    app,
    services,
    records,
    lines,
    scripts,
    calls,
    shared,
    background,
    context,
    get nowMs() {
      return state.nowMs;
    },
    set nowMs(value) {
      state.nowMs = value;
    },
    get random() {
      return state.random;
    },
    set random(value) {
      state.random = value;
    },
    get config() {
      return state.config;
    },
    set config(value) {
      state.config = value;
    },
    async post(body, headers = {}) {
      const response = await app.request(
        '/v1/infer',
        {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body:
            typeof body === 'string' || body instanceof Uint8Array
              ? new Blob([body as BlobPart])
              : JSON.stringify(body),
        },
        undefined,
        context,
      );
      return { status: response.status, body: (await response.json()) as Answer, headers: response.headers };
    },
  };
}
