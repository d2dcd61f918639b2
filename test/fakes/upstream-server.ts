/**
 * A front door with the model server behind it, over real sockets: checks the signature, answers the upstream protocol,
 * and takes both the stand-ins' faults and bodies that a test writes itself.
 */
import { upstreamRequestSchema } from '../../shared/schema/upstream.ts';
import type { UpstreamRequest } from '../../shared/schema/upstream.ts';
import { restSignatureError, sendRestJsonError } from '../../local/lib/aws-error.ts';
import { startHttpService } from '../../local/lib/http-service.ts';
import type { HttpService, ServiceRequest } from '../../local/lib/http-service.ts';
import { verifySigV4 } from '../../local/sigv4.ts';
import type { ServerResponse } from 'node:http';
import { findKey, REGION } from '../fixtures/local/keys.ts';
import { predictImage, predictText } from './sample-call.ts';

export type Answering = (
  request: UpstreamRequest,
  response: ServerResponse,
  raw: ServiceRequest,
) => void | Promise<void>;

export type UpstreamServer = Pick<HttpService, 'url' | 'setFault' | 'counts' | 'close'> & {
  /** What was read of every request that came through. */
  readonly requests: readonly { readonly body: UpstreamRequest; readonly raw: ServiceRequest }[];
  answerWith(next: Answering): void;
};

export async function startUpstreamServer(service: 'lambda' | 'sagemaker'): Promise<UpstreamServer> {
  const requests: { body: UpstreamRequest; raw: ServiceRequest }[] = [];
  let answering: Answering = streamHonestly;
  const http = await startHttpService({
    maxBodyBytes: 8_388_608,
    contentType: () => 'application/x-ndjson',
    sendTooLarge: (response) => sendRestJsonError(response, { status: 413, type: '', message: 'too large' }),
    sendStatus: (response, status) => sendRestJsonError(response, { status, type: '', message: 'scripted' }),
    async handle(raw, response) {
      const verified = verifySigV4(raw, { region: REGION, service, findKey, nowMs: Date.now() });
      if (verified.kind === 'refused') {
        sendRestJsonError(response, restSignatureError(verified));
        return;
      }
      const body = upstreamRequestSchema.parse(JSON.parse(Buffer.from(raw.body).toString('utf8')));
      requests.push({ body, raw });
      await answering(body, response, raw);
    },
  });
  return {
    url: http.url,
    setFault: (fault) => http.setFault(fault),
    counts: () => http.counts(),
    close: () => http.close(),
    requests,
    answerWith(next) {
      answering = next;
    },
  };
}

export function honestLines(request: UpstreamRequest): string[] {
  const { input } = request;
  const predictions = input.kind === 'text' ? input.texts.map(predictText) : rowsOf(input).map(predictImage);
  const lines = predictions.map((prediction) => JSON.stringify({ ...prediction, kind: 'prediction' }));
  return [...lines, JSON.stringify({ kind: 'done', count: predictions.length, compute_ms: 3.5 })];
}

function rowsOf(input: Exclude<UpstreamRequest['input'], { kind: 'text' }>): Float32Array[] {
  const bytes = Buffer.from(input.kind === 'image' ? input.pixels_base64 : input.values_base64, 'base64');
  const size = input.kind === 'image' ? input.height * input.width * input.channels : input.size;
  return Array.from({ length: input.count }, (_unused, image) =>
    Float32Array.from({ length: size }, (_pixel, pixel) => bytes.readFloatLE(4 * (image * size + pixel))),
  );
}

/** A chunk a line, as a streaming handler writes. */
export function streamHonestly(request: UpstreamRequest, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  for (const line of honestLines(request)) response.write(`${line}\n`);
  response.end();
}

export function sendWhole(request: UpstreamRequest, response: ServerResponse): void {
  sendBody(response, `${honestLines(request).join('\n')}\n`);
}

export function sendBody(response: ServerResponse, body: string | Uint8Array): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
