/** Open Inference Protocol v2 over the whole app: what its clients send, and what they must not. */
import { describe, expect, it } from 'vitest';
import { joinBody } from '../../../shared/open-inference/split-body.ts';
import { PRODUCT_NAME, PRODUCT_VERSION } from '../../../shared/names.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { createHarness, failing, type Harness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };
const textInput = { name: 'text', datatype: 'BYTES', shape: [2], data: ['hello', 'there'] };

type Reply = { status: number; headers: Headers; body: Record<string, unknown>; bytes: Uint8Array };

async function call(harness: Harness, path: string, init: RequestInit = {}): Promise<Reply> {
  const response = await harness.app.request(path, init, undefined, context);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length') ?? bytes.length);
  const text = new TextDecoder().decode(bytes.subarray(0, length));
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(text) as Record<string, unknown>,
    bytes: bytes.subarray(length),
  };
}

function infer(harness: Harness, body: unknown, headers: Record<string, string> = {}, model = 'mood'): Promise<Reply> {
  return call(harness, `/v2/models/${model}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

describe('health and metadata', () => {
  it('says it lives and can answer', async () => {
    const harness = createHarness();
    expect((await call(harness, '/v2/health/live')).status).toBe(200);
    expect((await call(harness, '/v2/health/ready')).status).toBe(200);
    expect((await call(harness, '/v2')).body).toEqual({
      name: PRODUCT_NAME,
      version: PRODUCT_VERSION,
      extensions: ['binary_tensor_data'],
    });
    expect(PRODUCT_VERSION).toBe(packageJson.version);
  });

  it('is not ready where no place is switched on', async () => {
    const config = testConfig((made) => ({
      ...made,
      targets: made.targets.map((target) => ({ ...target, enabled: false })),
    }));
    const harness = createHarness({ config });
    expect((await call(harness, '/v2/health/ready')).status).toBe(503);
    expect((await call(harness, '/v2/models/mood/ready')).status).toBe(503);
  });

  it.each(['/v2/models/mood', '/v2/models/mood/versions/1.0.0'])('describes tensors at %s', async (path) => {
    const { body } = await call(createHarness(), path);
    expect(body).toMatchObject({
      name: 'mood',
      versions: ['1.0.0'],
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
      outputs: [{ name: 'label' }, { name: 'confidence', datatype: 'FP32' }],
    });
    expect((await call(createHarness(), `${path}/ready`)).body).toEqual({ name: 'mood', ready: true });
  });

  it.each(['/v2/models/none', '/v2/models/mood/versions/9', '/v2/none', '/v2/models/none/ready'])(
    'says in its own form that there is nothing at %s',
    async (path) => {
      const { status, body } = await call(createHarness(), path);
      expect(status).toBe(404);
      expect(body).toEqual({ error: expect.any(String) as string });
    },
  );
});

describe('inference', () => {
  it('answers JSON with JSON, with the decision in headers', async () => {
    const harness = createHarness();
    const { status, body, headers } = await infer(harness, { id: 'mine', inputs: [textInput] });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      model_name: 'mood',
      model_version: '1.0.0',
      id: 'mine',
      parameters: { variant: 'micro', target_used: 'edge', accepted: true },
      outputs: [
        { name: 'label', datatype: 'BYTES', shape: [2], data: ['yes', 'yes'] },
        { name: 'confidence', datatype: 'FP32', shape: [2], data: [expect.closeTo(0.99), expect.closeTo(0.99)] },
      ],
    });
    expect(headers.get('x-target-used')).toBe('edge');
    expect(headers.get('x-decision')).toBe('policy=cascade; variant=micro; attempts=edge/micro:accepted');
    expect(harness.records[0]).toMatchObject({ protocol: 'open_inference', items: 2 });
  });

  it('answers binary with binary where asked', async () => {
    const json = new TextEncoder().encode(
      JSON.stringify({
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [1, 1], parameters: { binary_data_size: 6 } }],
        outputs: [{ name: 'confidence', parameters: { binary_data: true } }],
      }),
    );
    const { status, body, bytes, headers } = await call(createHarness(), '/v2/models/mood/infer', {
      method: 'POST',
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(json.length),
      },
      body: joinBody(json, [Uint8Array.of(2, 0, 0, 0, 0x68, 0x69)]),
    });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/octet-stream');
    expect(body['outputs']).toEqual([
      { name: 'confidence', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } },
    ]);
    expect(new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true)).toBeCloseTo(0.99);
  });

  it('takes an image with or without its channel', async () => {
    for (const shape of [
      [1, 2, 3],
      [1, 2, 3, 1],
      [1, 1, 2, 3],
    ]) {
      const data = [0, 0.1, 0.2, 0.3, 0.4, 1];
      const { status } = await infer(
        createHarness(),
        { inputs: [{ name: 'image', datatype: 'FP32', shape, data }] },
        {},
        'dots',
      );
      expect(status).toBe(200);
    }
  });

  it('takes null for what a client has not set', async () => {
    const { status, body } = await infer(createHarness(), {
      id: null,
      outputs: null,
      parameters: null,
      inputs: [textInput],
    });
    expect(status).toBe(200);
    expect(body).not.toHaveProperty('id');
  });

  it('takes requirements from headers and from parameters', async () => {
    const harness = createHarness();
    const byHeader = await infer(harness, { inputs: [textInput] }, { 'x-variant': 'large' });
    const byParameter = await infer(harness, { inputs: [textInput], parameters: { variant: 'base', priority: 0 } });
    expect(byHeader.headers.get('x-target-used')).toBe('sagemaker');
    expect(byParameter.headers.get('x-target-used')).toBe('lambda');
  });

  it.each([
    ['no JSON', '{', 400],
    ['a list', [], 400],
    ['no inputs', {}, 400],
    ['an input by another name', { inputs: [{ ...textInput, name: 'x' }] }, 422],
    ['two inputs', { inputs: [textInput, textInput] }, 422],
    ['another datatype', { inputs: [{ ...textInput, datatype: 'FP32', data: [1, 2] }] }, 422],
    ['another shape', { inputs: [{ ...textInput, shape: [1, 2] }] }, 422],
    ['a shape that lies', { inputs: [{ ...textInput, shape: [3] }] }, 422],
    ['no input at all', { inputs: [{ ...textInput, shape: [0], data: [] }] }, 422],
    ['an empty text', { inputs: [{ ...textInput, data: ['a', ' '] }] }, 422],
    ['more inputs than are taken', { inputs: [{ ...textInput, shape: [65], data: Array(65).fill('a') }] }, 422],
    ['an output the model lacks', { inputs: [textInput], outputs: [{ name: 'z' }] }, 400],
    ['a requirement that is none', { inputs: [textInput], parameters: { placement: 'moon' } }, 400],
  ])('refuses %s in its own form', async (_what, body, status) => {
    const harness = createHarness();
    const reply = await infer(harness, body);
    expect([reply.status, reply.body]).toEqual([status, { error: expect.any(String) as string }]);
    expect(harness.calls).toEqual([]);
    expect(harness.records).toMatchObject([{ outcome: 'error', attempts: [] }]);
  });

  it('refuses what is neither JSON nor binary, compressed bodies, other methods and other versions', async () => {
    const harness = createHarness();
    expect((await infer(harness, { inputs: [textInput] }, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await infer(harness, { inputs: [textInput] }, { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await call(harness, '/v2/models/mood/infer')).status).toBe(405);
    expect((await infer(harness, { inputs: [textInput] }, {}, 'mood/versions/2')).status).toBe(404);
  });

  it('gives failures of places in its own form, with code and time to come back in headers', async () => {
    const harness = createHarness();
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('upstream_error');
    const { status, body, headers } = await infer(harness, { inputs: [textInput] });
    expect(status).toBe(503);
    expect(body).toEqual({ error: expect.stringContaining('Every place') as string });
    expect(headers.get('x-error-code')).toBe('chain_exhausted');
    expect(headers.get('retry-after')).toBe('1');
  });
});
