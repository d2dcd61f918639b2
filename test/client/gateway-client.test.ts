/** The typed client over the whole app. */
import { describe, expect, it } from 'vitest';
import { createGatewayClient } from '../../client/gateway-client.ts';
import { GatewayAnswerError } from '../../client/gateway-error.ts';
import { createHarness, failing, type Harness } from '../worker/harness.ts';

const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };

function open(harness: Harness = createHarness(), answer?: Response) {
  const sent: Request[] = [];
  const client = createGatewayClient({
    url: 'http://gateway.test/',
    apiKey: 'k',
    fetch: async (url, init) => {
      const request = new Request(url, init);
      sent.push(request.clone());
      return answer ?? harness.app.request(request, undefined, undefined, context);
    },
  });
  return { client, sent, harness };
}

describe('the client', () => {
  it('asks and reads with types', async () => {
    const { client, sent } = open();
    const answer = await client.infer(
      { model_name: 'mood', input_data: 'hello', priority: 'high' },
      { requestId: 'mine' },
    );
    expect(answer.predictions[0]?.label).toBe('yes');
    expect(answer.request_id).toBe('mine');
    expect(sent[0]?.headers.get('authorization')).toBe('Bearer k');
    expect((await client.models()).models.map(({ name }) => name)).toEqual(['mood', 'dots']);
    expect((await client.model('mood')).labels).toEqual(['yes', 'no', 'oos']);
    expect((await client.guarantee('mood')).guarantee).toBeNull();
    expect((await client.metrics(2)).request_count).toBe(1);
    expect((await client.readiness()).ready).toBe(true);
  });

  it('throws what the gateway says, with its code and time to come back', async () => {
    const { client, harness } = open();
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('upstream_error');
    const error = await client.infer({ model_name: 'mood', input_data: 'x' }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(GatewayAnswerError);
    expect(error).toMatchObject({ code: 'chain_exhausted', status: 503, isRetryable: true, retryAfterMs: 1_000 });
    await expect(client.model('none')).rejects.toMatchObject({ code: 'model_unknown', isRetryable: false });
  });

  it('says so where something else answers', async () => {
    const { client } = open(createHarness(), new Response('<html>', { status: 502 }));
    await expect(client.models()).rejects.toMatchObject({ status: 502, code: 'internal' });
    const portal = open(createHarness(), new Response('<html>sign in'));
    await expect(portal.client.models()).rejects.toMatchObject({ name: 'GatewayAnswerError', status: 200 });
  });

  it('passes on why an answer broke off, its caller’s own wish included', async () => {
    const reason = new DOMException('enough', 'AbortError');
    const body = new ReadableStream({ pull: (controller) => controller.error(reason) });
    const { client } = open(createHarness(), new Response(body));
    await expect(client.models()).rejects.toBe(reason);
  });
});
