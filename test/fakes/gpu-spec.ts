/** A gpu target that serves the test configuration's models from the fake v2 server. */
import type { RemoteModel, TargetSpec } from '../../shared/schema/config.ts';
import { sampleTarget } from './sample-call.ts';

const probabilities = { name: 'PROBS', holds: 'probabilities' } as const;

export function gpuSpec(
  baseUrl: string | null,
  binaryTensors: boolean,
  models: Readonly<Record<string, RemoteModel>> = {
    'mood/micro': { name: 'mood', version: null, input: 'TEXT', output: probabilities },
    'dots/micro': { name: 'dots', version: '1', input: 'IMAGE', output: probabilities },
  },
): TargetSpec {
  return sampleTarget('edge', {
    id: 'gpu',
    endpoint: {
      kind: 'gpu',
      base_url: baseUrl,
      token_secret: 'GPU_TOKEN',
      binary_tensors: binaryTensors,
      models: { ...models },
    },
    price: { kind: 'flat', usd_per_request: 0.000_01 },
  });
}
