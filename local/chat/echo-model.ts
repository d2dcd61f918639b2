/**
 * The model `echo` in a configuration: a place for conversations on this machine, and an example of what a real one looks like.
 */
import type { Config, ModelSpec, TargetSpec } from '../../shared/schema/config.ts';

export const ECHO_ENDPOINT = 'hybrid-inference-echo';

const model: ModelSpec = {
  name: 'echo',
  version: '1.0.0',
  task: 'text_generation',
  description: 'Says again what it was told, a word at a time. No language model: it shows streaming on this machine.',
  labels: [],
  out_of_scope_label: null,
  input: { kind: 'chat', max_chars: 20_000, max_output_tokens: 4_096 },
  reference_variant: 'words',
  variants: [{ name: 'words', accuracy: 1, size_bytes: 1, sha256: '0'.repeat(64), format: 'none' }],
};

function target(region: string, baseUrl: string): TargetSpec {
  return {
    id: 'sagemaker-echo',
    region,
    enabled: true,
    endpoint: {
      kind: 'sagemaker',
      endpoint_name: ECHO_ENDPOINT,
      base_url: baseUrl,
      speaks: 'chat_completions',
      stream_timeouts: { connect_ms: 5_000, first_token_ms: 20_000, idle_ms: 10_000 },
    },
    serves: [{ model: 'echo', variant: 'words', latency_prior: { p50_ms: 100, p95_ms: 400 }, compute_prior_ms: 100 }],
    price: { kind: 'instance', usd_per_hour: 1.515, concurrency: 16, utilization_ratio: 0.3 },
    timeout_ms: 120_000,
    max_batch: 1,
    max_payload_bytes: 1024 * 1024,
    max_concurrency: 64,
  };
}

export function withEcho(config: Config, region: string, baseUrl: string): Config {
  return {
    ...config,
    models: [...config.models, model],
    targets: [...config.targets, target(region, baseUrl)],
    routes: [
      ...config.routes,
      {
        name: 'echo',
        model: 'echo',
        policy: { kind: 'cheapest' },
        default_deadline_ms: 120_000,
        deadline_probability: 0.95,
        cache: { ttl_ms: 300_000, stale_if_error_ms: 0 },
      },
    ],
  };
}
