import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { readJson } from '../../../worker/http/read-json.ts';
import { createHarness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const text = { model_name: 'mood', input_data: 'hello' };
const image = (input: unknown) => ({ model_name: 'dots', input_data: input });
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const png = (width: number, height: number) =>
  base64(encode({ width, height, channels: 1, depth: 8, data: new Uint8Array(width * height) }));

type Case = { name: string; body: unknown; status: number; code: string; field?: string; says?: string };

const cases: readonly Case[] = [
  { name: 'malformed JSON', body: '{"model_name": ', status: 400, code: 'invalid_json' },
  { name: 'an empty body', body: '', status: 400, code: 'invalid_json' },
  { name: 'a JSON array', body: '[]', status: 400, code: 'invalid_request', says: 'object' },
  { name: 'JSON null', body: 'null', status: 400, code: 'invalid_request' },
  {
    name: 'bytes that are not UTF-8',
    body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
    status: 400,
    code: 'invalid_encoding',
  },
  { name: 'no model name', body: { input_data: 'hello' }, status: 400, code: 'invalid_request', field: 'model_name' },
  {
    name: 'a model name of the wrong type',
    body: { ...text, model_name: 7 },
    status: 400,
    code: 'invalid_request',
    field: 'model_name',
  },
  {
    name: 'an unknown model',
    body: { ...text, model_name: 'nobody' },
    status: 404,
    code: 'model_unknown',
    field: 'model_name',
  },
  {
    name: 'the name of a JavaScript property as model',
    body: { ...text, model_name: '__proto__' },
    status: 404,
    code: 'model_unknown',
  },
  { name: 'no input', body: { model_name: 'mood' }, status: 400, code: 'invalid_request', field: 'input_data' },
  {
    name: 'a null input',
    body: { ...text, input_data: null },
    status: 400,
    code: 'invalid_request',
    field: 'input_data',
  },
  {
    name: 'an unknown field',
    body: { ...text, temprature: 1 },
    status: 400,
    code: 'invalid_request',
    field: 'temprature',
  },
  {
    name: 'a negative latency',
    body: { ...text, latency_requirement: -1 },
    status: 400,
    code: 'invalid_request',
    field: 'latency_requirement',
  },
  {
    name: 'a latency of zero',
    body: { ...text, latency_requirement: 0 },
    status: 400,
    code: 'invalid_request',
    field: 'latency_requirement',
  },
  {
    name: 'an endless latency',
    body: '{"model_name":"mood","input_data":"x","latency_requirement":1e999}',
    status: 400,
    code: 'invalid_request',
    field: 'latency_requirement',
  },
  {
    name: 'a latency as text',
    body: { ...text, latency_requirement: '50' },
    status: 400,
    code: 'invalid_request',
    field: 'latency_requirement',
  },
  {
    name: 'an unknown complexity',
    body: { ...text, model_complexity: 'huge' },
    status: 400,
    code: 'invalid_request',
    field: 'model_complexity',
  },
  {
    name: 'an unknown priority',
    body: { ...text, priority: 'urgent' },
    status: 400,
    code: 'invalid_request',
    field: 'priority',
  },
  {
    name: 'an accuracy above one',
    body: { ...text, min_accuracy: 97 },
    status: 400,
    code: 'invalid_request',
    field: 'min_accuracy',
  },
  {
    name: 'a negative cost',
    body: { ...text, max_cost_usd: -0.1 },
    status: 400,
    code: 'invalid_request',
    field: 'max_cost_usd',
  },
  {
    name: 'an unknown placement',
    body: { ...text, placement: 'moon' },
    status: 400,
    code: 'invalid_request',
    field: 'placement',
  },
  {
    name: 'an unknown variant',
    body: { ...text, variant: 'nano' },
    status: 400,
    code: 'invalid_request',
    field: 'variant',
  },
  {
    name: 'an unknown cache mode',
    body: { ...text, cache: 'maybe' },
    status: 400,
    code: 'invalid_request',
    field: 'cache',
  },
  {
    name: 'explain as text',
    body: { ...text, explain: 'yes' },
    status: 400,
    code: 'invalid_request',
    field: 'explain',
  },
  { name: 'an empty text', body: { ...text, input_data: '' }, status: 422, code: 'invalid_input', field: 'input_data' },
  {
    name: 'a text of spaces',
    body: { ...text, input_data: ' \n\t' },
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'a number for a text model',
    body: { ...text, input_data: 5 },
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'an object for a text model',
    body: { ...text, input_data: { text: 'x' } },
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'an empty batch',
    body: { ...text, input_data: [] },
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'a batch with a number in it',
    body: { ...text, input_data: ['a', 2] },
    status: 422,
    code: 'invalid_input',
    field: 'input_data[1]',
  },
  {
    name: 'a batch over the limit',
    body: { ...text, input_data: Array.from({ length: 65 }, () => 'a') },
    status: 422,
    code: 'batch_too_large',
    field: 'input_data',
  },
  {
    name: 'too few pixels',
    body: image([0, 0, 0]),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
    says: '6',
  },
  {
    name: 'a pixel that is not a number',
    body: image([0, 0, 'x', 0, 0, 0]),
    status: 422,
    code: 'invalid_input',
    field: 'input_data[2]',
  },
  {
    name: 'an endless pixel',
    body: '{"model_name":"dots","input_data":[0,0,1e999,0,0,0]}',
    status: 422,
    code: 'invalid_input',
    field: 'input_data[2]',
  },
  {
    name: 'NaN, which is not JSON',
    body: '{"model_name":"dots","input_data":[0,0,NaN,0,0,0]}',
    status: 400,
    code: 'invalid_json',
  },
  {
    name: 'a null pixel',
    body: image([0, null, 0, 0, 0, 0]),
    status: 422,
    code: 'invalid_input',
    field: 'input_data[1]',
  },
  {
    name: 'a pixel above one',
    body: image([0, 0, 255, 0, 0, 0]),
    status: 422,
    code: 'invalid_input',
    field: 'input_data[2]',
    says: '255',
  },
  {
    name: 'a row too short',
    body: image([
      [0, 0, 0],
      [0, 0],
    ]),
    status: 422,
    code: 'invalid_input',
    field: 'input_data[1]',
  },
  {
    name: 'a row too many',
    body: image([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'a text for an image model',
    body: image('hello world!'),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  { name: 'an empty base64 image', body: image(''), status: 422, code: 'invalid_input', field: 'input_data' },
  {
    name: 'a PNG of another size',
    body: image(png(4, 4)),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
    says: '4 x 4',
  },
  {
    name: 'a PNG cut short',
    body: image(png(3, 2).slice(0, 24)),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'a PNG with a broken middle',
    body: image(`${png(3, 2).slice(0, 48)}AAAAAAAA`),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  {
    name: 'a JPEG',
    body: image(base64(new Uint8Array([0xff, 0xd8, 0xff, 0xe0]))),
    status: 415,
    code: 'unsupported_media_type',
    field: 'input_data',
  },
  {
    name: 'bytes of no image',
    body: image(base64(new Uint8Array(5))),
    status: 422,
    code: 'invalid_input',
    field: 'input_data',
  },
  { name: 'an empty batch of images', body: image([]), status: 422, code: 'invalid_input', field: 'input_data' },
  { name: 'an object for an image model', body: image({}), status: 422, code: 'invalid_input', field: 'input_data' },
];

describe('bad input to POST /v1/infer', () => {
  it.each(cases)('answers $code to $name', async ({ body, status, code, field, says }) => {
    const harness = createHarness();
    const answer = await harness.post(body);
    expect({ status: answer.status, code: answer.body.error.code }).toEqual({ status, code });
    expect(answer.body.error.request_id).toBe('generated-id');
    expect(answer.headers.get('x-request-id')).toBe('generated-id');
    if (field !== undefined) {
      expect(answer.body.error.field).toBe(field);
      expect(answer.body.error.message).toContain(field);
    }
    if (says !== undefined) expect(answer.body.error.message).toContain(says);
    expect(harness.calls).toEqual([]);
    expect(harness.records).toMatchObject([{ outcome: 'error', errorCode: code }]);
  });

  it('refuses a body above the limit by its declared length', async () => {
    const answer = await createHarness().post({ ...text, input_data: 'a'.repeat(1_100_000) });
    expect([answer.status, answer.body.error.code]).toEqual([413, 'payload_too_large']);
  });

  it('refuses a body above the limit that declares no length', async () => {
    const harness = createHarness({
      config: testConfig((config) => ({ ...config, limits: { ...config.limits, max_body_bytes: 10 } })),
    });
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"model_name":'));
        controller.close();
      },
    });
    const request = new Request('http://gateway/v1/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    } as RequestInit);
    const response = await harness.app.fetch(request, undefined, {
      waitUntil: () => undefined,
      passThroughOnException: () => undefined,
      props: {},
    });
    expect(response.status).toBe(413);
  });

  it('keeps no chunk of a body: a byte at a time, each in a buffer of its own, would fill the isolate', async () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...text, input_data: 'x'.repeat(40_000) }));
    const one = new Uint8Array(1);
    let at = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (at >= bytes.length) return controller.close();
          one[0] = bytes[at] ?? 0;
          at += 1;
          // The same memory again and again: whoever kept the last chunk now holds this one.
          controller.enqueue(one);
        },
      },
      { highWaterMark: 0 },
    );
    const request = { headers: new Headers({ 'content-type': 'application/json' }), body } as Request;
    expect(await readJson(request, 100_000)).toEqual({ ...text, input_data: 'x'.repeat(40_000) });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'image/png'])(
    'refuses content of type %s',
    async (type) => {
      const answer = await createHarness().post(text, { 'content-type': type });
      expect([answer.status, answer.body.error.code]).toEqual([415, 'unsupported_media_type']);
    },
  );

  it('takes a content type with a charset', async () => {
    const answer = await createHarness().post(text, { 'content-type': 'application/json; charset=utf-8' });
    expect(answer.status).toBe(200);
  });

  it('says method_not_allowed and not_found in the same form', async () => {
    const { app } = createHarness();
    const got = await app.request('/v1/infer');
    const lost = await app.request('/v9/nowhere');
    expect([got.status, ((await got.json()) as { error: { code: string } }).error.code]).toEqual([
      405,
      'method_not_allowed',
    ]);
    expect([lost.status, ((await lost.json()) as { error: { code: string } }).error.code]).toEqual([404, 'not_found']);
  });

  it('never lets an input into a log line', async () => {
    const harness = createHarness();
    await harness.post({ ...text, input_data: 'canary-7f3a' });
    await harness.post('{"model_name":"mood","input_data":"canary-7f3a"');
    await harness.post({ ...text, input_data: ['canary-7f3a', 3] });
    expect(harness.lines.length).toBe(3);
    expect(harness.lines.join('\n')).not.toContain('canary-7f3a');
  });
});
