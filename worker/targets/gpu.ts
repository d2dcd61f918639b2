/**
 * A GPU server behind the Open Inference Protocol v2. Owns the order of one attempt: know the model's metadata, refuse what
 * cannot fit it, send tensors, read tensors. Leaves out the wire (gpu/server.ts) and what tensors mean (gpu/).
 */
import type { RemoteModel, TargetSpec } from '../../shared/schema/config.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { readBoundedText } from '../aws/bounded-text.ts';
import type { Fetch } from '../aws/fetch.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import { runAttempt } from './attempt.ts';
import { failConnection } from './connection-failure.ts';
import { failed, type FailedResult } from './failure.ts';
import { misfit, parseMetadata, type RemoteMetadata } from './gpu/metadata.ts';
import { predictionsOfAnswer } from './gpu/predictions-of-answer.ts';
import { readAnswer } from './gpu/read-answer.ts';
import { createOpenInferenceServer, type OpenInferenceServer } from './gpu/server.ts';
import { tensorsOfCall } from './gpu/tensors-of-call.ts';

export type GpuTargetOptions = {
  readonly spec: TargetSpec;
  readonly clock: Clock;
  /** The value of a worker secret, or undefined where it is not set. */
  readonly secretOf: (name: string) => string | undefined;
  readonly fetch?: Fetch;
};

/** A server may be restarted with another model under the same name. */
const METADATA_FRESH_MS = 60_000;
const MAX_METADATA_BYTES = 65_536;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

type Known = { readonly metadata: RemoteMetadata; readonly readAtMs: number };

export function createGpuTarget({ spec, clock, secretOf, fetch: send }: GpuTargetOptions): Target {
  const { endpoint } = spec;
  if (endpoint.kind !== 'gpu') throw new TypeError(`target ${spec.id} is not a gpu server`);
  const token = endpoint.token_secret === null ? undefined : secretOf(endpoint.token_secret);
  const unreachable =
    endpoint.base_url === null
      ? 'no base_url is configured'
      : endpoint.token_secret !== null && token === undefined
        ? `the secret ${endpoint.token_secret} is not set`
        : undefined;
  const server =
    endpoint.base_url === null || unreachable !== undefined
      ? undefined
      : createOpenInferenceServer({
          baseUrl: endpoint.base_url,
          token,
          binaryTensors: endpoint.binary_tensors,
          fetch: send ?? ((url, init) => fetch(url, init)),
        });
  const known = new Map<string, Known>();

  async function metadataOf(
    from: OpenInferenceServer,
    key: string,
    remote: RemoteModel,
    signal: AbortSignal,
  ): Promise<Known | FailedResult> {
    const held = known.get(key);
    if (held !== undefined && clock.now() - held.readAtMs < METADATA_FRESH_MS) return held;
    let response: Response;
    try {
      response = await from.metadata(remote, signal);
    } catch (error) {
      return failConnection(error);
    }
    if (!response.ok) {
      const answered = await readAnswer(response, MAX_METADATA_BYTES, clock.now());
      // A server that does not know the model is misconfigured, whatever the caller sent.
      if (answered.kind === 'failed' && answered.reason !== 'rejected') return answered;
      return failed('model_broken', `the server knows no model ${remote.name}`);
    }
    const metadata = parseMetadata(parseJson(await readBoundedText(response.body, MAX_METADATA_BYTES)));
    if (metadata === undefined) return failed('garbage', 'the metadata is not of the protocol');
    const read = { metadata, readAtMs: clock.now() };
    known.set(key, read);
    return read;
  }

  async function attempt(call: TargetCall, from: OpenInferenceServer, signal: AbortSignal): Promise<TargetResult> {
    const key = `${call.model.name}/${call.variant}`;
    const remote = endpoint.kind === 'gpu' ? endpoint.models[key] : undefined;
    if (remote === undefined) return failed('rejected', 'the configuration does not say what the server calls it');
    const found = await metadataOf(from, key, remote, signal);
    if ('kind' in found) return found;
    const problem = misfit(found.metadata, remote, call.input);
    const tensors = problem === undefined ? tensorsOfCall(call.input, remote, found.metadata) : undefined;
    if (tensors === undefined) {
      known.delete(key);
      return failed('model_broken', problem ?? `the server takes no ${call.input.kind}`);
    }
    if (tensors.reduce((sum, tensor) => sum + tensor.bytes.byteLength, 0) > spec.max_payload_bytes)
      return failed('rejected', `the input exceeds this target's ${spec.max_payload_bytes} bytes`);
    let response: Response;
    try {
      response = await from.infer(call, remote, tensors, signal);
    } catch (error) {
      return failConnection(error);
    }
    // How much comes back for tensors follows from the shapes that the caller sent.
    const tooLong = call.input.kind === 'tensors' ? 'rejected' : 'garbage';
    const answer = await readAnswer(response, MAX_ANSWER_BYTES, clock.now(), tooLong);
    if (answer.kind === 'failed') return answer;
    const predictions = predictionsOfAnswer(answer.outputs, call.model, remote, inputCount(call.input));
    return predictions === undefined
      ? failed('garbage', 'the outputs are not those of the model')
      : { kind: 'answered', predictions, computeMs: null };
  }

  return {
    spec,
    unreachable,
    async infer(call, signal) {
      if (server === undefined) return failed('connect_failed', unreachable ?? 'not configured');
      return runAttempt(Math.min(call.timeoutMs, spec.timeout_ms), signal, (inner) => attempt(call, server, inner));
    },
    async check(signal) {
      if (server === undefined) return { ok: false, detail: unreachable ?? 'not configured' };
      try {
        const response = await server.ready(signal);
        await response.body?.cancel();
        return { ok: response.ok, detail: `says HTTP ${response.status} when asked whether it is ready` };
      } catch {
        return { ok: false, detail: signal.aborted ? 'did not answer in time' : 'cannot be reached' };
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
