/**
 * ONNX Runtime's worker: what the built-in engine cannot take, the router asks here through its binding ORT. Owns the entry
 * point and its services, one set per isolate. Nobody else reaches it: it has no route and no public host.
 */
import { WorkerEntrypoint } from 'cloudflare:workers';
import type { OnnxAnswer, OnnxCall, OnnxWorker } from '../../shared/schema/onnx-call.ts';
import { createLogger } from '../logger.ts';
import type { AssetsBinding, BucketBinding, Clock } from '../ports.ts';
import { createWeightsReader } from '../store/weights.ts';
import { createAnswerer, type Answerer } from './answerer.ts';
import { openSession, runtimeMemoryBytes } from './runtime.ts';

type Env = { readonly ASSETS?: AssetsBinding; readonly WEIGHTS?: BucketBinding };

let answerer: Answerer | undefined;

function answererOnce({ ASSETS, WEIGHTS }: Env): Answerer {
  if (answerer !== undefined) return answerer;
  const clock: Clock = { now: () => Date.now() };
  const logger = createLogger(clock, 'info', (line) => console.log(line));
  answerer = createAnswerer({
    read: createWeightsReader({ bundled: {}, assets: ASSETS, bucket: WEIGHTS }),
    open: openSession,
    clock,
    onOpened: (path) => logger.log('info', 'a model was opened', '', { path, memory_bytes: runtimeMemoryBytes() }),
    onFailure: (failure) => logger.log('error', 'a model could not be loaded', '', { ...failure }),
  });
  return answerer;
}

export default class OnnxRuntimeWorker extends WorkerEntrypoint<Env> implements OnnxWorker {
  override fetch(): Response {
    return new Response(null, { status: 404 });
  }

  answer(call: OnnxCall): Promise<OnnxAnswer> {
    const answered = answererOnce(this.env)(call);
    // A caller that leaves must not end a load that others wait for.
    this.ctx.waitUntil(answered);
    return answered;
  }
}
