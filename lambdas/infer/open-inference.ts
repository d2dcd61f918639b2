/**
 * The model server over the Open Inference Protocol v2: the same models for a GPU box, and for a gateway's `gpu` target.
 * A model's variants are its versions. Owns paths, bodies, the protocol's form of an error, and giving up: for a caller
 * that left, or whose deadline is over, nothing more is computed.
 */
import { asGatewayError, GatewayError, statusOf } from '../../shared/errors.ts';
import { PRODUCT_NAME, PRODUCT_VERSION, REQUEST_ID_HEADER } from '../../shared/names.ts';
import { inputFromTensors } from '../../shared/open-inference/input-from-tensors.ts';
import { OpenInferenceError } from '../../shared/open-inference/protocol-error.ts';
import { readTensors } from '../../shared/open-inference/read-tensors.ts';
import { HEADER_LENGTH_HEADER, joinBody, splitBody } from '../../shared/open-inference/split-body.ts';
import { inputTensors } from '../../shared/open-inference/tensor-names.ts';
import { writeTensors } from '../../shared/open-inference/write-tensors.ts';
import { isClassification } from '../../shared/schema/task.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { rankLabels } from '../../shared/schema/rank-labels.ts';
import type { NamedTensor } from '../../shared/schema/tensor.ts';
import { encodeElements } from '../../shared/schema/tensor-elements.ts';
import type { Logger } from '../lib/logger.ts';
import type { Turns } from '../lib/turns.ts';
import { scoreOne } from './predict.ts';
import { headerDeadlineMs } from './read-request.ts';
import type { LoadedModel, Registry } from './registry.ts';
import { newFacts, requestLine, type RequestFacts } from './request-facts.ts';

type OpenInferenceRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  readonly receivedAtMs: number;
  /** Fires when nobody is left to read the answer. */
  readonly signal: AbortSignal;
};

export type OpenInferenceOptions = {
  readonly registry: Registry;
  readonly turns: Turns;
  readonly isReady: () => boolean;
  readonly logger: Logger;
  /** Monotonic. */
  readonly nowMs: () => number;
};

type OpenInferenceAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type OpenInference = (request: OpenInferenceRequest) => Promise<OpenInferenceAnswer>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });
const MAX_ITEMS = 4096;

const MODEL_PATH = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/;

export function createOpenInference(options: OpenInferenceOptions): OpenInference {
  const { registry, turns, isReady, logger, nowMs } = options;

  async function route(request: OpenInferenceRequest, facts: RequestFacts): Promise<OpenInferenceAnswer> {
    const { method, path } = request;
    if (path === '/v2/health/live') return json(200, { live: true });
    if (path === '/v2/health/ready') return json(isReady() ? 200 : 503, { ready: isReady() });
    if (path === '/v2')
      return json(200, { name: PRODUCT_NAME, version: PRODUCT_VERSION, extensions: ['binary_tensor_data'] });
    const match = MODEL_PATH.exec(path);
    if (match === null) throw new GatewayError('not_found', `There is nothing at ${path}.`);
    const [, name = '', version, action] = match.map((part) => (part === undefined ? part : decodeURIComponent(part)));
    const served = registry.served.find(
      ({ card, variant }) => card.name === name && (version === undefined || variant === version),
    );
    if (served === undefined) throw new GatewayError('model_unknown', 'This server has no such model and version.');
    if (action === 'ready') return json(200, { name, ready: isReady() });
    if (action === 'infer') {
      if (method !== 'POST') throw new GatewayError('method_not_allowed', 'Use POST.');
      facts.model = served.card.name;
      facts.variant = served.variant;
      const answer = await infer(await registry.load(served), request, facts);
      logger.request(requestLine(facts, undefined, nowMs()));
      return { ...answer, headers: { ...answer.headers, [REQUEST_ID_HEADER]: facts.requestId } };
    }
    const versions = registry.served.filter(({ card }) => card.name === name).map(({ variant }) => variant);
    return json(200, {
      name,
      versions,
      platform: PRODUCT_NAME,
      inputs: inputTensors(served.card),
      outputs: [outputSpec(served.card)],
    });
  }

  async function infer(
    model: LoadedModel,
    { headers, body, receivedAtMs, signal }: OpenInferenceRequest,
    facts: RequestFacts,
  ): Promise<OpenInferenceAnswer> {
    const { asked, tensors } = readBody(headers, body);
    const { name } = outputSpec(model.card);
    const isBinary = wantsBinary(asked, name);
    const input = inputFromTensors(tensors, model.card.input, decodeStrictly);
    const count = inputCount(input);
    if (count === 0 || count > MAX_ITEMS)
      throw new GatewayError('batch_too_large', `From 1 to ${MAX_ITEMS} inputs a request.`);
    if (input.kind === 'tensors' || input.kind === 'chat')
      throw new GatewayError('not_configured', `This server serves no ${input.kind} models.`);
    facts.items = count;
    const deadlineAtMs = receivedAtMs + (headerDeadlineMs(headers) ?? Number.POSITIVE_INFINITY);
    const rows: number[][] = [];
    for (let position = 0; position < count; position += 1) {
      const row = await turns(async () => {
        if (signal.aborted) throw new GatewayError('client_closed_request', 'The caller left.');
        const startedMs = nowMs();
        if (startedMs >= deadlineAtMs) {
          throw new GatewayError('deadline_exceeded', `The deadline passed after ${position} of ${count} inputs.`);
        }
        const { scores } = await scoreOne(model, input, position);
        facts.computeMs += nowMs() - startedMs;
        return outputRow(model, scores);
      });
      rows.push(row);
    }
    facts.answered = count;
    const output: NamedTensor = {
      name,
      datatype: 'FP32',
      shape: [count, rows[0]?.length ?? 0],
      bytes: encodeElements('FP32', rows.flat(), (text) => encoder.encode(text)),
    };
    const { list, binary } = writeTensors(
      [output],
      () => isBinary,
      (bytes) => decoder.decode(bytes),
    );
    const head = encoder.encode(
      JSON.stringify({ model_name: model.card.name, model_version: model.variant, id: asked['id'], outputs: list }),
    );
    return {
      status: 200,
      headers: isBinary
        ? { 'content-type': 'application/octet-stream', [HEADER_LENGTH_HEADER]: String(head.byteLength) }
        : { 'content-type': 'application/json' },
      body: joinBody(head, binary),
    };
  }

  return async (request) => {
    const facts = newFacts(request.headers, request.receivedAtMs);
    try {
      return await route(request, facts);
    } catch (error) {
      const known =
        error instanceof OpenInferenceError
          ? new GatewayError('invalid_input', `${error.path} ${error.message}.`)
          : error instanceof URIError
            ? new GatewayError('not_found', 'The path cannot be read.')
            : asGatewayError(error);
      if (facts.model !== null) logger.request(requestLine(facts, known, nowMs()));
      return json(statusOf(known.code), { error: known.message });
    }
  };
}

function outputSpec({ task, labels }: LoadedModel['card']): { name: string; datatype: 'FP32'; shape: number[] } {
  return isClassification(task)
    ? { name: 'probabilities', datatype: 'FP32', shape: [-1, labels.length] }
    : { name: 'embedding', datatype: 'FP32', shape: [-1, -1] };
}

function outputRow({ card, spec }: LoadedModel, scores: Float32Array): number[] {
  if (!isClassification(card.task)) return [...scores];
  const ranked = rankLabels(scores, card.labels, spec.calibration?.temperature ?? 1, card.labels.length);
  const shares = new Map(ranked.map(({ label, confidence }) => [label, confidence]));
  return card.labels.map((label) => shares.get(label) ?? 0);
}

type Asked = Readonly<Record<string, unknown>>;

function readBody(
  headers: OpenInferenceRequest['headers'],
  body: Uint8Array,
): { readonly asked: Asked; readonly tensors: readonly NamedTensor[] } {
  const split = splitBody(body, headers[HEADER_LENGTH_HEADER] ?? null);
  const value = parseJson(split.json);
  if (!isRecord(value)) throw new GatewayError('invalid_request', 'The body must be a JSON object.');
  return {
    asked: value,
    tensors: readTensors(value['inputs'], split.binary, 'inputs', (text) => encoder.encode(text)),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(strict.decode(bytes));
  } catch {
    // The parser's own message quotes the body.
    throw new GatewayError('invalid_json', 'The body is not JSON.');
  }
}

function wantsBinary(asked: Asked, name: string): boolean {
  const outputs: unknown = asked['outputs'];
  const parameters: unknown = asked['parameters'];
  if (Array.isArray(outputs) && outputs.length > 0) {
    const output = (outputs as readonly unknown[]).filter(isRecord).find((one) => one['name'] === name);
    if (output === undefined) throw new GatewayError('invalid_request', `outputs: the model has only ${name}.`);
    return isRecord(output['parameters']) && output['parameters']['binary_data'] === true;
  }
  return isRecord(parameters) && parameters['binary_data_output'] === true;
}

function isRecord(value: unknown): value is Asked {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function json(status: number, value: unknown): OpenInferenceAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: encoder.encode(JSON.stringify(value)),
  };
}
