/**
 * A `gpu` target in a configuration: which of the shipped models the server on this machine has, and what it calls them.
 */
import type { Config, RemoteModel, TargetSpec } from '../../shared/schema/config.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';

const INPUT_NAME: Readonly<Record<ModelInputSpec['kind'], string | null>> = {
  text: 'text',
  image: 'image',
  numbers: 'features',
  tensors: null,
  chat: null,
};

/** Dearer than Lambda while Lambda works, so that it is a place to fall back on: an hour of a small GPU, little used. */
const PRICE: TargetSpec['price'] = { kind: 'instance', usd_per_hour: 0.8, concurrency: 4, utilization_ratio: 0.05 };

/** Every variant `base` that some other target serves, with the same latency prior less the way to a region. */
export function withGpu(config: Config, baseUrl: string): Config {
  const models: Record<string, RemoteModel> = {};
  const serves = config.models.flatMap((model) => {
    const known = config.targets
      .flatMap((target) => target.serves)
      .find((served) => served.model === model.name && served.variant === 'base');
    if (known === undefined) return [];
    const holds = model.task === 'sentence_embedding' ? 'embedding' : 'probabilities';
    models[`${model.name}/base`] = {
      name: model.name,
      version: 'base',
      input: INPUT_NAME[model.input.kind],
      output: { name: holds, holds },
    };
    return [{ ...known, latency_prior: { p50_ms: 3, p95_ms: 8 } }];
  });
  if (serves.length === 0) return config;
  const target: TargetSpec = {
    id: 'gpu',
    region: 'local',
    enabled: true,
    endpoint: { kind: 'gpu', base_url: baseUrl, token_secret: null, binary_tensors: true, models },
    serves,
    price: PRICE,
    timeout_ms: 2_000,
    max_batch: 64,
    max_payload_bytes: 6 * 1024 * 1024,
    max_concurrency: 64,
  };
  return { ...config, targets: [...config.targets, target] };
}
