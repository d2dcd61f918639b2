/**
 * A v2 server over real sockets that answers for the test configuration's models, in JSON or in bytes as it is asked, and
 * takes faults and bodies that a test writes itself.
 */
import type { ServerResponse } from 'node:http';
import { startHttpService } from '../../local/lib/http-service.ts';
import type { HttpService, ServiceRequest } from '../../local/lib/http-service.ts';
import { readTensors } from '../../shared/open-inference/read-tensors.ts';
import { HEADER_LENGTH_HEADER, joinBody, splitBody } from '../../shared/open-inference/split-body.ts';
import { writeTensors } from '../../shared/open-inference/write-tensors.ts';
import type { ClassPrediction } from '../../shared/schema/prediction.ts';
import type { NamedTensor } from '../../shared/schema/tensor.ts';
import { decodeElements, encodeElements } from '../../shared/schema/tensor-elements.ts';
import { predictImage, predictText } from './sample-call.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const SERVER_TOKEN = 'gpu-token-canary';

const METADATA: Readonly<Record<string, object>> = {
  mood: {
    name: 'mood',
    versions: ['1'],
    platform: 'fake',
    inputs: [{ name: 'TEXT', datatype: 'BYTES', shape: [-1, 1] }],
    outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [-1, 3] }],
  },
  dots: {
    name: 'dots',
    inputs: [{ name: 'IMAGE', datatype: 'FP32', shape: [-1, 1, 2, 3] }],
    outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [-1, 2] }],
  },
};

const LABELS: Readonly<Record<string, readonly string[]>> = { mood: ['yes', 'no', 'oos'], dots: ['dark', 'light'] };

type InferAnswering = (request: ServiceRequest, response: ServerResponse) => void;

export type OpenInferenceFake = Pick<HttpService, 'url' | 'setFault' | 'close'> & {
  readonly requests: readonly ServiceRequest[];
  answerWith(next: InferAnswering): void;
  describeAs(model: string, metadata: object): void;
};

export async function startOpenInferenceServer(): Promise<OpenInferenceFake> {
  const requests: ServiceRequest[] = [];
  const metadata: Record<string, object> = { ...METADATA };
  let answering: InferAnswering = answerInfer;
  const http = await startHttpService({
    maxBodyBytes: 8_388_608,
    contentType: () => 'application/json',
    sendTooLarge: (response) => sendJson(response, 413, { error: 'too large' }),
    sendStatus: (response, status) => sendJson(response, status, { error: 'scripted' }),
    async handle(request, response) {
      requests.push(request);
      if (request.headers['authorization'] !== `Bearer ${SERVER_TOKEN}`) {
        sendJson(response, 401, { error: 'no' });
        return;
      }
      const [, , , model = '', ...rest] = request.path.split('/');
      const action = rest.at(-1);
      if (request.path === '/v2/health/ready') sendJson(response, 200, { ready: true });
      else if (metadata[model] === undefined) sendJson(response, 404, { error: 'unknown model' });
      else if (action === 'infer') answering(request, response);
      else sendJson(response, 200, metadata[model]);
    },
  });
  return {
    url: http.url,
    setFault: (fault) => http.setFault(fault),
    close: () => http.close(),
    requests,
    answerWith(next) {
      answering = next;
    },
    describeAs(model, description) {
      metadata[model] = description;
    },
  };
}

function answerInfer(request: ServiceRequest, response: ServerResponse): void {
  const model = request.path.split('/')[3] ?? '';
  const header = request.headers[HEADER_LENGTH_HEADER];
  const length = typeof header === 'string' ? header : null;
  const { json, binary } = splitBody(request.body, length);
  const body = JSON.parse(decoder.decode(json)) as { inputs: unknown };
  const tensors = readTensors(body.inputs, binary, 'inputs', (text) => encoder.encode(text));
  const predictions = predict(model, tensors[0]);
  const labels = LABELS[model] ?? [];
  const output: NamedTensor = {
    name: 'PROBS',
    datatype: 'FP32',
    shape: [predictions.length, labels.length],
    bytes: encodeElements(
      'FP32',
      predictions.flatMap((one) => labels.map((label) => share(one, label, labels))),
      (text) => encoder.encode(text),
    ),
  };
  const written = writeTensors(
    [output],
    () => length !== null,
    (bytes) => decoder.decode(bytes),
  );
  const head = encoder.encode(JSON.stringify({ model_name: model, outputs: written.list }));
  response.writeHead(200, length === null ? {} : { [HEADER_LENGTH_HEADER]: String(head.length) });
  response.end(joinBody(head, written.binary));
}

function share(prediction: ClassPrediction, label: string, labels: readonly string[]): number {
  return label === prediction.label ? prediction.confidence : (1 - prediction.confidence) / (labels.length - 1);
}

function predict(model: string, tensor: NamedTensor | undefined): ClassPrediction[] {
  if (tensor === undefined) return [];
  const elements = decodeElements(tensor, (bytes) => decoder.decode(bytes));
  if (model === 'mood') return elements.map((text) => predictText(String(text)));
  return Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => predictImage([Number(elements[row * 6])]));
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
