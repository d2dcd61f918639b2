/**
 * A chat model served by two SageMaker stand-ins over real containers: one fails as the message says, the other works.
 */
import { fileURLToPath } from 'node:url';
import { startSageMaker, type SageMaker } from '../../local/aws/sagemaker.ts';
import type { Config, ModelSpec, TargetSpec } from '../../shared/schema/config.ts';
import { findKey, REGION } from '../fixtures/local/keys.ts';
import { testConfig } from '../worker/test-config.ts';

const CONTAINER = fileURLToPath(new URL('../fixtures/chat/container.ts', import.meta.url));

export type ChatPlaces = {
  readonly first: SageMaker;
  readonly second: SageMaker;
  /** Lines the failing container wrote. */
  readonly lines: readonly string[];
  readonly config: Config;
  close(): Promise<void>;
};

export async function startChatPlaces(): Promise<ChatPlaces> {
  const lines: string[] = [];
  const common = { region: REGION, findKey, endpointName: 'chat', containerFile: CONTAINER };
  const [first, second] = await Promise.all([
    startSageMaker({ ...common, onLine: (line) => lines.push(line) }),
    startSageMaker({ ...common, environment: { WORKS: '1' } }),
  ]);
  await Promise.all([first.waitUntilReady(), second.waitUntilReady()]);
  return {
    first,
    second,
    lines,
    config: chatConfig(first.url, second.url),
    close: async () => {
      await Promise.all([first.close(), second.close()]);
    },
  };
}

export const chatModel: ModelSpec = {
  name: 'talk',
  version: '1',
  task: 'text_generation',
  description: 'Talks.',
  labels: [],
  out_of_scope_label: null,
  input: { kind: 'chat', max_chars: 1_000, max_output_tokens: 100 },
  reference_variant: 'only',
  variants: [{ name: 'only', accuracy: 1, size_bytes: 1, sha256: '0'.repeat(64), format: 'none' }],
};

function place(id: string, baseUrl: string, usdPerRequest: number): TargetSpec {
  return {
    id,
    region: REGION,
    enabled: true,
    endpoint: {
      kind: 'sagemaker',
      endpoint_name: 'chat',
      base_url: baseUrl,
      speaks: 'chat_completions',
      stream_timeouts: { connect_ms: 400, first_token_ms: 400, idle_ms: 400 },
    },
    serves: [{ model: 'talk', variant: 'only', latency_prior: { p50_ms: 50, p95_ms: 100 }, compute_prior_ms: 50 }],
    price: { kind: 'flat', usd_per_request: usdPerRequest },
    timeout_ms: 5_000,
    max_batch: 1,
    max_payload_bytes: 100_000,
    max_concurrency: 100,
  };
}

function chatConfig(firstUrl: string, secondUrl: string): Config {
  return testConfig((config) => ({
    ...config,
    models: [...config.models, chatModel],
    targets: [...config.targets, place('first', firstUrl, 0.001), place('second', secondUrl, 0.002)],
    routes: [
      ...config.routes,
      {
        name: 'talk',
        model: 'talk',
        policy: { kind: 'cheapest' },
        default_deadline_ms: 10_000,
        deadline_probability: 0.95,
        cache: { ttl_ms: 60_000, stale_if_error_ms: 0 },
      },
    ],
  }));
}
