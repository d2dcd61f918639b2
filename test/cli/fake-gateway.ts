/**
 * A gateway for tests of the command line: answers over HTTP in the native contract, from a function of the request.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type FakeRequest = { readonly body: Record<string, unknown>; readonly authorization: string | undefined };
export type FakeReply = { readonly status: number; readonly body: unknown };

export type FakeGateway = {
  readonly url: string;
  /** Bodies of inference requests, in order. */
  readonly requests: readonly FakeRequest[];
  close(): Promise<void>;
};

const FAKE_MODEL = {
  name: 'intent',
  version: '1.2.3',
  input: { kind: 'text' },
  labels: ['weather', 'alarm', 'oos'],
  out_of_scope_label: 'oos',
  reference_variant: 'large',
  variants: [{ name: 'micro' }, { name: 'large' }],
};

/** An answer in the native contract. */
export function nativeAnswer(label: string, variant: string, escalated = false): FakeReply {
  const attempt = { target: 'edge', kind: 'edge', variant: 'micro', outcome: 'accepted', reason: null, detail: '' };
  const kind = variant === 'micro' ? 'edge' : 'sagemaker';
  return {
    status: 200,
    body: {
      request_id: 'r',
      variant,
      predictions: [{ label, confidence: 0.9, variant, target: kind, accepted: true }],
      target_used: { kind, id: kind, region: 'local' },
      latency_ms: 1,
      cost_usd: 0.001,
      cache: 'miss',
      decision: {
        fallback_chain: [{ ...attempt, why: 'first' }, ...(escalated ? [{ ...attempt, why: 'escalation' }] : [])],
        reason: 'a test',
        cloud_only_cost_usd: 0.004,
      },
    },
  };
}

export async function startFakeGateway(
  reply: (request: FakeRequest) => FakeReply,
  apiKey?: string,
  described: object = FAKE_MODEL,
): Promise<FakeGateway> {
  const requests: FakeRequest[] = [];
  const server = createServer((request, response) => {
    void respond(request, response);
  });
  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await answer(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
  async function answer(request: IncomingMessage): Promise<FakeReply> {
    const { authorization } = request.headers;
    if (apiKey !== undefined && authorization !== `Bearer ${apiKey}`)
      return { status: 401, body: { error: { code: 'unauthorized', message: 'no' } } };
    if (request.url === '/v1/models') return { status: 200, body: { models: [FAKE_MODEL] } };
    if (request.url === `/v1/models/${FAKE_MODEL.name}`) return { status: 200, body: described };
    if (request.url !== '/v1/infer')
      return { status: 404, body: { error: { code: 'not_found', message: 'nothing here' } } };
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const received = { body: JSON.parse(text) as Record<string, unknown>, authorization };
    requests.push(received);
    return reply(received);
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
