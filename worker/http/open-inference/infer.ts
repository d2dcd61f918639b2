/**
 * `POST /v2/models/:model[/versions/:version]/infer`: tensors in, tensors out, as JSON or binary.
 */
import { GatewayError } from '../../../shared/errors.ts';
import { usdFromNanos } from '../../../shared/measure/pricing.ts';
import { HEADER_LENGTH_HEADER, joinBody } from '../../../shared/open-inference/split-body.ts';
import { writeTensors } from '../../../shared/open-inference/write-tensors.ts';
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import { inputCount } from '../../../shared/schema/model-input.ts';
import type { NamedTensor } from '../../../shared/schema/tensor.ts';
import { decisionHeaders } from '../decision-headers.ts';
import { runExchange, type Exchange } from '../exchange.ts';
import { asCallersFault, openInferenceError } from './error.ts';
import { inputFromTensors } from '../../../shared/open-inference/input-from-tensors.ts';
import { readOpenInferenceRequest, type OpenInferenceRequest } from './request.ts';
import { outputTensors } from '../../../shared/open-inference/tensor-names.ts';
import { tensorsFromResult } from './tensors-from-result.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

function utf8OrNothing(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export async function inferTensors(
  exchange: Exchange,
  modelName: string,
  modelVersion: string | undefined,
): Promise<Response> {
  const inForce = await exchange.services.config.ready((work) => exchange.keepAlive(work));
  const version = inForce.config.models.find(({ name }) => name === modelName)?.version;
  let asked: OpenInferenceRequest | undefined;
  const outcome = await runExchange(exchange, {
    name: 'open_inference',
    read: async (limits) => {
      if (modelVersion !== undefined && modelVersion !== version)
        throw new GatewayError('model_unknown', `There is no version "${modelVersion}" of the model "${modelName}".`);
      asked = await readOpenInferenceRequest(exchange.request, modelName, limits);
      return asked.wire;
    },
    parseInput: (_value, spec, maxBatch, model) => {
      refuseUnknownOutputs(asked, outputTensors(model));
      const input = asCallersFault(() => inputFromTensors(asked?.tensors ?? [], spec, utf8OrNothing));
      const count = inputCount(input);
      if (count === 0) throw new GatewayError('invalid_input', 'inputs[0] holds no input.', { field: 'inputs[0]' });
      if (count > maxBatch)
        throw new GatewayError(
          'batch_too_large',
          `inputs[0] has ${count} inputs; at most ${maxBatch} are taken at once.`,
          { field: 'inputs[0]' },
        );
      return input;
    },
  });
  if (outcome.kind === 'failed') return openInferenceError(outcome.error, exchange.requestId);
  return render(outcome.result, version ?? '', asked);
}

/** Before any place is asked, and perhaps paid. */
function refuseUnknownOutputs(
  asked: OpenInferenceRequest | undefined,
  known: readonly { readonly name: string }[],
): void {
  const unknown = [...(asked?.outputs?.keys() ?? [])].find((name) => !known.some((output) => output.name === name));
  if (unknown !== undefined)
    throw new GatewayError('invalid_request', `outputs: the model has no output "${unknown}".`, { field: 'outputs' });
}

function render(result: InferResult, version: string, asked: OpenInferenceRequest | undefined): Response {
  const tensors = tensorsFromResult(result);
  const wanted = asked?.outputs === undefined ? tensors : tensors.filter(({ name }) => asked.outputs?.has(name));
  const isBinary = ({ name }: NamedTensor): boolean => asked?.outputs?.get(name) ?? asked?.binaryByDefault ?? false;
  const { list, binary } = writeTensors(wanted, isBinary, (bytes) => decoder.decode(bytes));
  const body = {
    model_name: result.modelName,
    model_version: version,
    ...(asked?.id === undefined ? {} : { id: asked.id }),
    parameters: {
      request_id: result.requestId,
      variant: result.variant,
      target_used: result.targetUsed.id,
      cost_usd: usdFromNanos(result.costNanos),
      cache: result.cache,
      accepted: result.items.every((item) => item.accepted),
    },
    outputs: list,
  };
  const headers = decisionHeaders(result);
  if (binary.length === 0) return Response.json(body, { headers });
  const json = encoder.encode(JSON.stringify(body));
  return new Response(joinBody(json, binary), {
    headers: {
      ...headers,
      'content-type': 'application/octet-stream',
      [HEADER_LENGTH_HEADER]: String(json.byteLength),
    },
  });
}
