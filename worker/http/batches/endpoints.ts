/**
 * `/v1/batches`: takes lines of requests as a stream, says how far they are, hands out results, cancels. Owns the endpoints;
 * where lines are kept is the BatchStore's, who works through them the queue's other end (lambdas/batch).
 */
import { progressOf, type Batch } from '../../../shared/batch/batch-items.ts';
import { GatewayError } from '../../../shared/errors.ts';
import { usdFromNanos } from '../../../shared/measure/pricing.ts';
import { apiKeyFrom, identify } from '../../pipeline/identify.ts';
import type { Batches, StoredBatch } from '../../ports.ts';
import type { Exchange } from '../exchange.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { refuseEncoded } from '../read-json.ts';
import { chunkLines } from './chunk-lines.ts';

/** Some hundred chunks a batch: a Worker may make a thousand calls a request. */
const CHUNK_BYTES = 2_000_000;
const CHUNK_LINES = 10_000;
const MAX_LINES = 1_000_000;
const KEEP_MS = 7 * 24 * 3_600_000;
const CONTENT_TYPE = 'application/x-ndjson';
const LINES_TYPES = new Set([CONTENT_TYPE, 'application/jsonl', 'application/x-jsonlines']);
const BATCH_ID = /^[0-9a-f-]{36}$/;

/** @param path of the request, below `/v1/batches` */
export async function batchEndpoint(exchange: Exchange, path: readonly string[]): Promise<Response> {
  const { request, services } = exchange;
  const inForce = await services.config.ready(exchange.keepAlive);
  const { tenant } = await identify(apiKeyFrom(request.headers), 'batches', inForce, services.access);
  const { batches } = services;
  if (batches === undefined) {
    throw new GatewayError('not_configured', 'Batches need BATCH_BUCKET, BATCH_QUEUE_URL, BATCH_KEY and TABLE_NAME.');
  }
  const [id, rest] = path;
  if (id === undefined) {
    if (request.method !== 'POST') throw methodNotAllowed('POST');
    return take(exchange, batches, tenant, inForce.config.limits.max_body_bytes);
  }
  const stored = BATCH_ID.test(id) ? await batches.read(id) : undefined;
  // Another tenant's batch is no batch: not even that it exists is told.
  if (stored === undefined || stored.batch.tenant !== tenant) {
    throw new GatewayError('not_found', `There is no batch ${id.slice(0, 64)}.`);
  }
  if (rest === 'results') {
    if (request.method !== 'GET') throw methodNotAllowed('GET');
    return results(stored, batches, request.signal);
  }
  if (rest !== undefined) throw new GatewayError('not_found', 'A batch has results and nothing else.');
  // The answer to HEAD loses its body on its way out.
  if (request.method === 'GET' || request.method === 'HEAD') return Response.json(describe(stored));
  if (request.method === 'DELETE') return cancel(stored, batches);
  throw methodNotAllowed('GET', 'HEAD', 'DELETE');
}

async function take(exchange: Exchange, batches: Batches, tenant: string, maxLineBytes: number): Promise<Response> {
  const { request, services } = exchange;
  const body = linesOf(request);
  const { origin, searchParams } = new URL(request.url);
  const nowMs = services.clock.now();
  const id = crypto.randomUUID();
  const expiresAtMs = nowMs + KEEP_MS;
  const receiving: Batch = {
    id,
    tenant,
    state: 'receiving',
    createdAtMs: nowMs,
    expiresAtMs,
    lines: 0,
    chunks: 0,
    gateway: origin,
    token: await batches.tokens.issue(id, tenant, expiresAtMs),
    modelName: searchParams.get('model_name') ?? undefined,
  };
  await batches.begin(receiving);
  let lines = 0;
  let chunks = 0;
  for await (const chunk of chunkLines(body, { maxLineBytes, chunkBytes: CHUNK_BYTES, chunkLines: CHUNK_LINES })) {
    if (lines + chunk.lines > MAX_LINES) {
      throw new GatewayError('batch_too_large', `A batch has at most ${MAX_LINES} lines; send the rest as another.`);
    }
    chunks += 1;
    await batches.putChunk(receiving, { index: chunks, offset: lines, lines: chunk.lines, bytes: chunk.bytes });
    lines += chunk.lines;
  }
  if (lines === 0) throw new GatewayError('invalid_request', 'The body holds no line.');
  const batch: Batch = { ...receiving, state: 'queued', lines, chunks };
  await batches.submit(batch);
  return Response.json(describe({ batch, chunks: [] }), { status: 202, headers: { location: `/v1/batches/${id}` } });
}

function linesOf(request: Request): ReadableStream<Uint8Array> {
  const mediaType = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!LINES_TYPES.has(mediaType)) {
    throw new GatewayError('unsupported_media_type', `Send JSON lines with content-type: ${CONTENT_TYPE}.`);
  }
  refuseEncoded(request);
  if (request.body === null) throw new GatewayError('invalid_request', 'The body holds no line.');
  return request.body;
}

function describe({ batch, chunks }: StoredBatch): object {
  const { status, lines, done, failed, costNanos } = progressOf(batch, chunks);
  return {
    id: batch.id,
    status,
    created_at: new Date(batch.createdAtMs).toISOString(),
    expires_at: new Date(batch.expiresAtMs).toISOString(),
    lines,
    done,
    failed,
    cost_usd: usdFromNanos(costNanos),
    results: `/v1/batches/${batch.id}/results`,
  };
}

async function cancel(stored: StoredBatch, batches: Batches): Promise<Response> {
  const { status } = progressOf(stored.batch, stored.chunks);
  if (status === 'completed') throw new GatewayError('conflict', 'The batch is complete: there is nothing to cancel.');
  await batches.cancel(stored.batch);
  return Response.json(describe({ ...stored, batch: { ...stored.batch, state: 'cancelled' } }));
}

/** Of every finished chunk, in the order of the lines. Asked before the end, it says that this is not all. */
function results(stored: StoredBatch, batches: Batches, signal: AbortSignal): Response {
  const { status } = progressOf(stored.batch, stored.chunks);
  if (status !== 'completed' && status !== 'cancelled') {
    throw new GatewayError('conflict', `The batch is ${status}; its results are whole once it is completed.`, {
      retryAfterMs: 5_000,
    });
  }
  const finished = stored.chunks
    .filter((chunk) => chunk.doneLines === chunk.lines)
    .toSorted((a, b) => a.index - b.index);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const copy = async (): Promise<void> => {
    for (const chunk of finished) {
      const body = await batches.openResult(stored.batch.id, chunk.index, signal);
      await body.pipeTo(writable, { preventClose: true });
    }
    await writable.close();
  };
  // A reader that leaves, or an object that is away, breaks the stream: a whole answer ends well.
  copy().catch((error: unknown) => writable.abort(error).catch(() => undefined));
  return new Response(readable, { headers: { 'content-type': CONTENT_TYPE } });
}
