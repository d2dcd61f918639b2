/**
 * A device's question as a request like any other: its tenant, its model's route, its deadline. Owns putting the one into
 * the other; the pipeline decides where the answer comes from.
 */
import { dequantize } from '../../shared/device/tensor.ts';
import { GatewayError } from '../../shared/errors.ts';
import { handle } from '../pipeline/handle.ts';
import type { Services } from '../pipeline/services.ts';
import { poolSettings } from './pool-settings.ts';
import type { Answering } from './questions.ts';

const DEFAULT_DEADLINE_MS = 10_000;

export function answeringBy(services: Services, keepAlive: (work: Promise<unknown>) => void): Answering {
  return async (question) => {
    const { config } = await services.config.ready(keepAlive);
    const settings = poolSettings(config, question.pool);
    if (settings === undefined) return undefined;
    const { model } = settings;
    const outcome = await handle(
      {
        requestId: services.newRequestId(),
        protocol: 'device',
        receivedAtMs: services.clock.now(),
        apiKey: undefined,
        caller: { tenant: question.tenant, keyId: question.deviceId },
        // A device that dials again still wants its answer.
        signal: new AbortController().signal,
        read: async () => ({
          model_name: model.name,
          input_data: question.tensor,
          latency_requirement: question.deadlineMs > 0 ? question.deadlineMs : DEFAULT_DEADLINE_MS,
          // The device has taken the first step itself.
          model_complexity: 'medium',
          priority: 'normal',
          placement: 'any',
          cache: 'default',
          explain: false,
        }),
        parseInput: (_value, spec) => {
          const values = dequantize(question.tensor);
          if (spec.kind !== 'image' || values.length !== spec.height * spec.width * spec.channels) {
            throw new GatewayError('invalid_input', 'The tensor is not what the model takes.');
          }
          const { height, width, channels } = spec;
          const unit = values.map((value) => Math.min(1, Math.max(0, value)));
          return { kind: 'image', height, width, channels, images: [unit] };
        },
        keepAlive,
      },
      services,
    );
    const prediction = outcome.kind === 'answered' ? outcome.result.items[0]?.prediction : undefined;
    if (prediction?.kind !== 'class') return undefined;
    const label = model.labels.indexOf(prediction.label);
    return label < 0 ? undefined : { label, confidence: prediction.confidence };
  };
}
