/** The model server over the Open Inference Protocol: tiny models, JSON and bytes, and what it refuses. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createOpenInference, type OpenInference } from '../../../lambdas/infer/open-inference.ts';
import { createTurns } from '../../../lambdas/lib/turns.ts';
import { joinBody } from '../../../shared/open-inference/split-body.ts';
import { GOLDEN, openTiny, TEMPERATURE } from '../tiny.ts';

let server: OpenInference;
let isReady = true;
beforeAll(async () => {
  server = createOpenInference(await openTiny(['base']), createTurns(), () => isReady);
});

async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
  const bytes =
    body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''));
  const answer = await server({ method: body === undefined ? 'GET' : 'POST', path, headers, body: bytes });
  const length = Number(answer.headers['inference-header-content-length'] ?? answer.body.length);
  const json = JSON.parse(Buffer.from(answer.body.subarray(0, length)).toString()) as Record<string, unknown>;
  return { status: answer.status, json, bytes: answer.body.subarray(length) };
}

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
});
