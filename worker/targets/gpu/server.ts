/**
 * The calls to one v2 server: metadata, readiness, inference. Owns urls, authentication and bodies.
 */
import { DEADLINE_HEADER, REQUEST_ID_HEADER, TRACEPARENT_HEADER } from '../../../shared/names.ts';
import { HEADER_LENGTH_HEADER, joinBody } from '../../../shared/open-inference/split-body.ts';
import { writeTensors } from '../../../shared/open-inference/write-tensors.ts';
import type { RemoteModel } from '../../../shared/schema/config.ts';
import type { NamedTensor } from '../../../shared/schema/tensor.ts';
import type { Fetch } from '../../aws/fetch.ts';
import type { TargetCall } from '../../ports.ts';

export type ServerOptions = {
  readonly baseUrl: string;
  /** A bearer token, or undefined where none is asked. */
  readonly token: string | undefined;
  readonly binaryTensors: boolean;
  readonly fetch: Fetch;
};

export type OpenInferenceServer = {
  metadata(remote: RemoteModel, signal: AbortSignal): Promise<Response>;
  ready(signal: AbortSignal): Promise<Response>;
  infer(call: TargetCall, remote: RemoteModel, inputs: readonly NamedTensor[], signal: AbortSignal): Promise<Response>;
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createOpenInferenceServer(options: ServerOptions): OpenInferenceServer {
  const base = options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`;
  const authorization: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };

  function urlOf({ name, version }: RemoteModel): string {
    const ofVersion = version === null ? '' : `/versions/${encodeURIComponent(version)}`;
    return new URL(`v2/models/${encodeURIComponent(name)}${ofVersion}`, base).href;
  }

  function get(url: string, signal: AbortSignal): Promise<Response> {
    return options.fetch(url, { headers: authorization, signal, redirect: 'manual' });
  }

  return {
    metadata: (remote, signal) => get(urlOf(remote), signal),
    ready: (signal) => get(new URL('v2/health/ready', base).href, signal),
    infer(call, remote, inputs, signal) {
      const { list, binary } = writeTensors(
        inputs,
        () => options.binaryTensors,
        (bytes) => decoder.decode(bytes),
      );
      const outputs = outputNames(call, remote).map((name) => ({
        name,
        ...(options.binaryTensors ? { parameters: { binary_data: true } } : {}),
      }));
      const json = encoder.encode(JSON.stringify({ id: call.requestId, inputs: list, outputs }));
      const headers: Record<string, string> = {
        ...authorization,
        [REQUEST_ID_HEADER]: call.requestId,
        [DEADLINE_HEADER]: String(Math.round(call.timeoutMs)),
        ...(call.traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: call.traceparent }),
        'content-type': options.binaryTensors ? 'application/octet-stream' : 'application/json',
        ...(options.binaryTensors ? { [HEADER_LENGTH_HEADER]: String(json.byteLength) } : {}),
      };
      const body = options.binaryTensors ? joinBody(json, binary) : json;
      return options.fetch(`${urlOf(remote)}/infer`, { method: 'POST', headers, body, signal, redirect: 'manual' });
    },
  };
}

function outputNames(call: TargetCall, remote: RemoteModel): readonly string[] {
  if (remote.output !== null) return [remote.output.name];
  const { input } = call.model;
  return input.kind === 'tensors' ? input.outputs.map(({ name }) => name) : [];
}
