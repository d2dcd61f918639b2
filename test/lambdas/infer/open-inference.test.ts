/** The model server over the Open Inference Protocol: tiny models, JSON and bytes, and what it refuses. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createOpenInference, type OpenInference } from '../../../lambdas/infer/open-inference.ts';
import type { Registry } from '../../../lambdas/infer/registry.ts';
import { createLogger } from '../../../lambdas/lib/logger.ts';
import { createTurns } from '../../../lambdas/lib/turns.ts';
import { joinBody } from '../../../shared/open-inference/split-body.ts';
import { fakeSession, GOLDEN, openTiny, TEMPERATURE } from '../tiny.ts';

let server: OpenInference;
let isReady = true;
let registry: Registry;
const lines: string[] = [];
const logged = (): readonly Record<string, unknown>[] =>
  lines.splice(0).map((line): Record<string, unknown> => JSON.parse(line));
beforeAll(async () => {
  registry = await openTiny(['base']);
  server = over(registry);
});

beforeEach(() => void lines.splice(0));

function over(models: Registry, nowMs = (): number => performance.now()): OpenInference {
  const logger = createLogger({ level: 'debug', write: (line) => lines.push(line), now: () => new Date(0) });
  return createOpenInference({ registry: models, turns: createTurns(), isReady: () => isReady, logger, nowMs });
}

async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
  const bytes =
    body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''));
  const answer = await server({
    ...exchange(),
    method: body === undefined ? 'GET' : 'POST',
    path,
    headers,
    body: bytes,
  });
  const length = Number(answer.headers['inference-header-content-length'] ?? answer.body.length);
  const json = JSON.parse(Buffer.from(answer.body.subarray(0, length)).toString()) as Record<string, unknown>;
  return { status: answer.status, json, bytes: answer.body.subarray(length) };
}

const exchange = () => ({ receivedAtMs: performance.now(), signal: new AbortController().signal });

const text = { name: 'text', datatype: 'BYTES', shape: [1], data: [GOLDEN[0]?.text] };

function softmax(logits: readonly number[]): number[] {
  const powers = logits.map((logit) => Math.exp(logit / TEMPERATURE));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

describe('the model server over v2', () => {
  it('describes itself and its models, variants being versions', async () => {
    expect((await call('/v2/health/live')).status).toBe(200);
    expect((await call('/v2')).json).toMatchObject({ extensions: ['binary_tensor_data'] });
    expect((await call('/v2/models/greeting/versions/base')).json).toMatchObject({
      name: 'greeting',
      versions: ['base'],
      inputs: [{ name: 'text', datatype: 'BYTES' }],
      outputs: [{ name: 'probabilities', datatype: 'FP32' }],
    });
    expect((await call('/v2/models/greeting/ready')).json).toEqual({ name: 'greeting', ready: true });
    isReady = false;
    expect((await call('/v2/health/ready')).status).toBe(503);
    isReady = true;
  });

  it('answers with calibrated probabilities in the order of the labels', async () => {
    const { status, json } = await call('/v2/models/greeting/infer', { id: 'i', inputs: [text] });
    expect(status).toBe(200);
    const expected = softmax(GOLDEN[0]?.logits ?? []);
    expect(json).toMatchObject({
      id: 'i',
      model_version: 'base',
      outputs: [
        {
          name: 'probabilities',
          shape: [1, expected.length],
          data: expected.map((share) => expect.closeTo(share, 3) as number),
        },
      ],
    });
  });

  it('answers bytes with bytes', async () => {
    const word = Buffer.from(GOLDEN[0]?.text ?? '');
    const element = Buffer.concat([Buffer.from(Uint32Array.of(word.length).buffer), word]);
    const head = Buffer.from(
      JSON.stringify({
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: element.length } }],
        parameters: { binary_data_output: true },
      }),
    );
    const { status, bytes } = await call('/v2/models/greeting/infer', joinBody(head, [element]), {
      'inference-header-content-length': String(head.length),
    });
    expect(status).toBe(200);
    expect(Buffer.from(bytes).readFloatLE(0)).toBeCloseTo(softmax(GOLDEN[0]?.logits ?? [])[0] ?? 0, 3);
  });

  it.each([
    ['an unknown path', '/v2/none', undefined, 404],
    ['an unknown model', '/v2/models/none', undefined, 404],
    ['an unknown version', '/v2/models/greeting/versions/9', undefined, 404],
    ['a path that cannot be read', '/v2/models/%ff', undefined, 404],
    ['no JSON', '/v2/models/greeting/infer', '{', 400],
    ['a list', '/v2/models/greeting/infer', [], 400],
    ['no inputs', '/v2/models/greeting/infer', {}, 422],
    ['another input', '/v2/models/greeting/infer', { inputs: [{ ...text, name: 'x' }] }, 422],
    ['an output it lacks', '/v2/models/greeting/infer', { inputs: [text], outputs: [{ name: 'x' }] }, 400],
    ['no items', '/v2/models/greeting/infer', { inputs: [{ ...text, shape: [0], data: [] }] }, 422],
  ])('refuses %s in the form of the protocol', async (_what, path, body, status) => {
    const answer = await call(path, body);
    expect([answer.status, answer.json]).toEqual([status, { error: expect.any(String) as string }]);
  });

  it('takes inference by POST only', async () => {
    expect((await call('/v2/models/greeting/infer')).status).toBe(405);
  });

  describe('a caller', () => {
    const many = { ...text, shape: [20], data: Array<string>(20).fill('a') };
    const body = Buffer.from(JSON.stringify({ inputs: [many] }));
    const path = '/v2/models/greeting/infer';
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const headers = { 'x-request-id': 'r-7', traceparent: `00-${trace}-b7ad6b7169203331-01` };

    it('that leaves has nothing more computed for it', async () => {
      let runs = 0;
      const left = new AbortController();
      const session = fakeSession(3, () => {
        runs += 1;
        if (runs === 3) left.abort();
      });
      const slow = over(await openTiny(['base'], async () => session));
      const answer = await slow({ method: 'POST', path, headers, body, receivedAtMs: 0, signal: left.signal });
      expect([answer.status, runs]).toEqual([499, 3]);
      expect(logged()).toMatchObject([{ outcome: 'aborted', request_id: 'r-7', items: 20, answered: 0 }]);
    });

    it('whose deadline passes is told so, and no later', async () => {
      let nowMs = 0;
      const session = fakeSession(3, () => void (nowMs += 10));
      const slow = over(await openTiny(['base'], async () => session), () => nowMs);
      const hurried = { ...headers, 'x-deadline-ms': '25' };
      const signal = new AbortController().signal;
      const answer = await slow({ method: 'POST', path, headers: hurried, body, receivedAtMs: 0, signal });
      expect(answer.status).toBe(504);
      expect(Buffer.from(answer.body).toString()).toContain('after 3 of 20 inputs');
      expect(nowMs).toBe(30);
    });

    it('finds its request in the log by both its ids, and nothing it sent', async () => {
      const answer = await server({ ...exchange(), method: 'POST', path, headers, body });
      expect(answer.headers['x-request-id']).toBe('r-7');
      const [line, ...others] = logged();
      expect(line).toMatchObject({
        request_id: 'r-7',
        trace_id: trace,
        model: 'greeting',
        variant: 'base',
        items: 20,
        answered: 20,
        outcome: 'ok',
      });
      expect([others, JSON.stringify(line)]).toEqual([[], expect.not.stringContaining('"a"')]);
    });

    it('that asks for an output which is not there is refused before anything is computed', async () => {
      let runs = 0;
      const session = fakeSession(3, () => void (runs += 1));
      const counted = over(await openTiny(['base'], async () => session));
      const asked = Buffer.from(JSON.stringify({ inputs: [text], outputs: [{ name: 'nothing' }] }));
      expect((await counted({ ...exchange(), method: 'POST', path, headers, body: asked })).status).toBe(400);
      expect(runs).toBe(0);
    });
  });
});
