import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FunctionUrlEvent, StreamingHandler } from '../../../lambdas/infer/lambda-runtime.ts';
import { withHead } from '../../../lambdas/infer/lambda-runtime.ts';
import { parseLines, textRequest, TINY_DIR } from '../tiny.ts';

const context = { getRemainingTimeInMillis: () => 30_000 };
let handleEvent: StreamingHandler;

beforeAll(async () => {
  process.env['MODEL_DIR'] = TINY_DIR;
  process.env['LOG_LEVEL'] = 'error';
  ({ handleEvent } = await import('../../../lambdas/infer/handler.ts'));
});

function event(body: string, changes: Partial<FunctionUrlEvent> = {}): FunctionUrlEvent {
  return {
    headers: { 'Content-Type': 'application/json' },
    requestContext: { http: { method: 'POST' } },
    body,
    ...changes,
  };
}

type Parsed = { head: { statusCode: number; headers: Record<string, string> }; body: string };

/** The wire form of a streamed Function URL answer: JSON, eight zero bytes, body. */
async function invoke(given: FunctionUrlEvent, handlerContext: object = context): Promise<Parsed> {
  const stream = new PassThrough();
  const [bytes] = await Promise.all([buffer(stream), handleEvent(given, stream, handlerContext)]);
  const end = bytes.indexOf(Buffer.alloc(8));
  return {
    head: JSON.parse(bytes.subarray(0, end).toString()),
    body: bytes.subarray(end + 8).toString(),
  };
}

describe('the Lambda handler', () => {
  it('answers a plain and a base64 body alike, its head before the lines', async () => {
    const text = JSON.stringify(textRequest(['hello', 'bye']));
    for (const given of [event(text), event(Buffer.from(text).toString('base64'), { isBase64Encoded: true })]) {
      const { head, body } = await invoke(given);
      expect(head).toMatchObject({
        statusCode: 200,
        headers: { 'content-type': 'application/x-ndjson', 'x-request-id': 'r-1' },
      });
      expect(parseLines(body).map((line) => (line.kind === 'prediction' ? line.label : line.kind))).toEqual([
        'greet',
        'leave',
        'done',
      ]);
    }
  });

  it.each([
    ['no JSON', event('{'), 400, 'invalid_json'],
    ['an unknown variant', event(JSON.stringify(textRequest(['a'], { variant: 'none' }))), 404, 'model_unknown'],
    ['GET', event('', { requestContext: { http: { method: 'GET' } } }), 405, 'method_not_allowed'],
    ['another content type', event('{}', { headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media_type'],
    ['bytes that are no UTF-8', event('/w==', { isBase64Encoded: true }), 400, 'invalid_encoding'],
    ['an event of another kind', {}, 405, 'method_not_allowed'],
  ])('refuses %s', async (_, given, status, code) => {
    const { head, body } = await invoke(given);
    expect(head.statusCode).toBe(status);
    expect(JSON.parse(body)).toMatchObject({ error: { code, request_id: head.headers['x-request-id'] } });
  });

  it('keeps a margin of the time that Lambda leaves it', async () => {
    const { head } = await invoke(event(JSON.stringify(textRequest(['hello']))), {
      getRemainingTimeInMillis: () => 200,
    });
    expect(head.statusCode).toBe(504);
  });

  it('stops when the stream is closed under it', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const texts = Array<string>(200).fill('hello');
    const running = handleEvent(event(JSON.stringify(textRequest(texts))), stream, context);
    stream.once('data', () => stream.destroy());
    await expect(running).resolves.toBeUndefined();
  });

  it("hands the head to the runtime's own stream where there is one", () => {
    const seen: unknown[] = [];
    const wrapped = new PassThrough();
    globalThis.awslambda = {
      streamifyResponse: (handler) => handler,
      HttpResponseStream: {
        from(...given) {
          seen.push(...given);
          return wrapped;
        },
      },
    };
    try {
      const stream = new PassThrough();
      const head = { statusCode: 200, headers: {} };
      expect(withHead(stream, head)).toBe(wrapped);
      expect(seen).toEqual([stream, head]);
    } finally {
      globalThis.awslambda = undefined;
    }
  });
});
