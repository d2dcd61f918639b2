import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES } from '../../../lambdas/infer/read-request.ts';
import type { ModelServer } from '../../../lambdas/infer/server.ts';
import { createModelServer } from '../../../lambdas/infer/server.ts';
import { fakeSession, openTiny, parseLines, serviceOver, textRequest } from '../tiny.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let open: ModelServer | undefined;
afterEach(() => open?.drain(0));

async function listen(
  isReady = true,
  session = fakeSession(3),
): Promise<{ base: string; port: number; logged: () => readonly Record<string, unknown>[] }> {
  const { service, logged } = serviceOver(await openTiny(['base'], async () => session));
  open = createModelServer({ service, isReady: () => isReady, nowMs: () => performance.now() });
  open.http.listen(0);
  await once(open.http, 'listening');
  const address = open.http.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  return { base: `http://127.0.0.1:${port}`, port, logged };
}

describe('the container server', () => {
  it('answers a ping with 200 when ready and 503 before', async () => {
    expect((await fetch(`${(await listen(true)).base}/ping`)).status).toBe(200);
    await open?.drain(0);
    expect((await fetch(`${(await listen(false)).base}/ping`)).status).toBe(503);
  });

  it('answers an invocation with JSON Lines and the id in the header', async () => {
    const { base } = await listen();
    const response = await fetch(`${base}/invocations`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify(textRequest(['a', 'b'])),
    });
    expect([response.status, response.headers.get('x-request-id')]).toEqual([200, 'r-1']);
    expect(parseLines(await response.text()).map(({ kind }) => kind)).toEqual(['prediction', 'prediction', 'done']);
  });

  it.each([
    ['GET', '/invocations', 405, 'method_not_allowed'],
    ['POST', '/ping', 405, 'method_not_allowed'],
    ['GET', '/', 404, 'not_found'],
    ['POST', '/invocations/x', 404, 'not_found'],
  ])('refuses %s %s', async (method, path, status, code) => {
    const { base } = await listen();
    const response = await fetch(`${base}${path}`, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  it('refuses a body over the limit by its length before reading it, and one without a length while reading', async () => {
    const { base } = await listen();
    const body = Buffer.alloc(MAX_BODY_BYTES + 1, 0x20);
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(body);
        controller.close();
      },
    });
    for (const sent of [{ body }, { body: chunked, duplex: 'half' }]) {
      const response = await fetch(`${base}/invocations`, {
        method: 'POST',
        headers: JSON_TYPE,
        ...sent,
      });
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({ error: { code: 'payload_too_large' } });
    }
  });

  it('says that a body is too large without waiting for its end', async () => {
    const { port } = await listen();
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n');
    socket.write(`transfer-encoding: chunked\r\n\r\n${(MAX_BODY_BYTES + 1).toString(16)}\r\n`);
    socket.write(Buffer.alloc(MAX_BODY_BYTES + 1, 0x20));
    const [answer] = await once(socket, 'data');
    socket.destroy();
    expect(String(answer)).toContain('HTTP/1.1 413');
  });

  it('stops computing for a caller that leaves before the first line', async () => {
    let runs = 0;
    const session = fakeSession(3, async () => {
      runs += 1;
      await new Promise((resolve) => setTimeout(resolve, 10));
    });
    const { base, logged } = await listen(true, session);
    const body = JSON.stringify(textRequest(Array<string>(16).fill('a')));
    const caller = AbortSignal.timeout(50);
    await expect(
      fetch(`${base}/invocations`, { method: 'POST', headers: JSON_TYPE, body, signal: caller }),
    ).rejects.toThrow('timeout');
    await expect.poll(logged).toEqual([expect.objectContaining({ outcome: 'aborted' })]);
    expect(runs).toBeLessThan(16);
  });

  it('outlives a caller that cuts the connection inside the body, and garbage that is no HTTP', async () => {
    const { base, port } = await listen();
    for (const bytes of [
      'POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"req',
      '\x16\x03\x01garbage\r\n\r\n',
    ]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(bytes);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    expect((await fetch(`${base}/ping`)).status).toBe(200);
  });
});
