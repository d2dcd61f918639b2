import { describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES } from '../../../lambdas/infer/read-request.ts';
import type { Answer, Exchange } from '../../../lambdas/infer/service.ts';
import {
  bodyOf,
  fakeSession,
  GOLDEN,
  imageRequest,
  openTiny,
  parseLines,
  serviceOver,
  TEMPERATURE,
  textRequest,
} from '../tiny.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

function post(body: unknown, headers: Record<string, string> = {}, more: Partial<Exchange> = {}): Exchange {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const incoming = { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: bytes };
  return { incoming, receivedAtMs: performance.now(), signal: new AbortController().signal, ...more };
}

async function errorOf(answer: Answer): Promise<{ code: string; message: string; request_id: string }> {
  const body: { error: { code: string; message: string; request_id: string } } = JSON.parse(await bodyOf(answer));
  return body.error;
}

function softmaxTop(logits: readonly number[]): number {
  const weights = logits.map((logit) => Math.exp(logit / TEMPERATURE));
  return Math.max(...weights) / weights.reduce((sum, weight) => sum + weight, 0);
}

describe('an inference exchange', () => {
  it('answers as the reference runtime does, in order, and counts what it answered', async () => {
    const { service } = serviceOver(await openTiny());
    const answer = await service.answer(post(textRequest(GOLDEN.map(({ text }) => text))));
    expect(answer.headers).toMatchObject({ 'content-type': 'application/x-ndjson', 'x-request-id': 'r-1' });
    const lines = parseLines(await bodyOf(answer));
    expect(lines).toHaveLength(GOLDEN.length + 1);
    GOLDEN.forEach(({ logits }, index) => {
      const line = lines[index];
      if (line?.kind !== 'prediction') throw new Error('expected a prediction');
      expect(line.label).toBe(['greet', 'leave', 'other'][logits.indexOf(Math.max(...logits))]);
      expect(line.confidence).toBeCloseTo(softmaxTop(logits), 4);
      expect(line.top).toHaveLength(3);
      expect(line.top[0]).toEqual({ label: line.label, confidence: line.confidence });
    });
    expect(lines.at(-1)).toMatchObject({ kind: 'done', count: GOLDEN.length });
    expect(lines.map((line) => line.kind === 'prediction' && line.truncated)).toEqual([
      ...Array(7).fill(false),
      true,
      false,
    ]);
  });

  it('says the compute time in a header when it is known before the body', async () => {
    const { service } = serviceOver(await openTiny());
    const answer = await service.answer(post(textRequest(['hello'])));
    const done = parseLines(await bodyOf(answer)).at(-1);
    expect(done).toMatchObject({ kind: 'done' });
    expect(answer.headers['x-compute-ms']).toBe(String(done?.kind === 'done' && done.compute_ms));
    const long = await service.answer(post(textRequest(Array(17).fill('hello'))));
    expect(long.headers['x-compute-ms']).toBeUndefined();
    await bodyOf(long);
  });

  it('reads images', async () => {
    const { service } = serviceOver(await openTiny());
    const lines = parseLines(await bodyOf(await service.answer(post(imageRequest(['rows', 'columns', 'rows'])))));
    expect(lines.map((line) => (line.kind === 'prediction' ? line.label : line.kind))).toEqual([
      'rows',
      'columns',
      'rows',
      'done',
    ]);
  });

  it('gives the very same answer whatever else the request holds', async () => {
    const { service } = serviceOver(await openTiny());
    const texts = Array.from({ length: 40 }, (_, index) => GOLDEN[index % GOLDEN.length]?.text ?? '');
    const together = parseLines(await bodyOf(await service.answer(post(textRequest(texts)))));
    for (const [index, { text }] of GOLDEN.entries()) {
      const [alone] = parseLines(await bodyOf(await service.answer(post(textRequest([text])))));
      if (alone?.kind !== 'prediction') throw new Error('expected a prediction');
      const same = together[index];
      expect(same).toEqual(alone);
    }
  });
});

const image = imageRequest(['rows']).input;
const nanPixels = Buffer.from(Float32Array.from({ length: 16 }, () => Number.NaN).buffer).toString('base64');

const BAD: readonly (readonly [what: string, exchange: Exchange, status: number, code: string])[] = [
  ['no JSON', post('{"request_id":'), 400, 'invalid_json'],
  ['an empty body', post(''), 400, 'invalid_json'],
  ['no UTF-8', post(Uint8Array.of(0x22, 0xff, 0xfe, 0x22)), 400, 'invalid_encoding'],
  ['null', post('null'), 400, 'invalid_request'],
  ['an array', post('[]'), 400, 'invalid_request'],
  ['an unknown field', post({ ...textRequest(['a']), extra: 1 }), 400, 'invalid_request'],
  ['a missing field', post({ ...textRequest(['a']), model: undefined }), 400, 'invalid_request'],
  ['a negative deadline', post(textRequest(['a'], { deadline_ms: -5 })), 400, 'invalid_request'],
  ['a text that is none', post({ ...textRequest([]), input: { kind: 'text', texts: [1] } }), 400, 'invalid_request'],
  ['no text at all', post(textRequest([])), 400, 'invalid_request'],
  ['an unknown model', post(textRequest(['a'], { model: 'nobody' })), 404, 'model_unknown'],
  ['an unknown variant', post(textRequest(['a'], { variant: 'micro' })), 404, 'model_unknown'],
  ['a text for an image model', post(textRequest(['a'], { model: 'stripes' })), 422, 'invalid_input'],
  ['an image for a text model', post({ ...imageRequest(['rows']), model: 'greeting' }), 422, 'invalid_input'],
  [
    'an image of another size',
    post({ ...imageRequest(['rows']), input: { ...image, width: 5 } }),
    422,
    'invalid_input',
  ],
  ['fewer pixels than said', post({ ...imageRequest(['rows']), input: { ...image, count: 2 } }), 422, 'invalid_input'],
  ['no base64', post({ ...imageRequest(['rows']), input: { ...image, pixels_base64: '*' } }), 422, 'invalid_input'],
  [
    'pixels that are NaN',
    post({ ...imageRequest(['rows']), input: { ...image, pixels_base64: nanPixels } }),
    422,
    'invalid_input',
  ],
  ['more inputs than a request may have', post(textRequest(Array(4097).fill('a'))), 422, 'batch_too_large'],
  ['a body over the limit', post(Buffer.alloc(MAX_BODY_BYTES + 1, 0x20)), 413, 'payload_too_large'],
  ['another content type', post('{}', { 'content-type': 'text/csv' }), 415, 'unsupported_media_type'],
  ['a compressed body', post('{}', { 'content-encoding': 'gzip' }), 415, 'unsupported_media_type'],
];

describe('what cannot be answered', () => {
  it.each(BAD)('is refused with a status, a code and the request id: %s', async (_, exchange, status, code) => {
    const { service, logged } = serviceOver(await openTiny());
    const headers = { ...exchange.incoming.headers, 'x-request-id': 'r-header' };
    const answer = await service.answer({ ...exchange, incoming: { ...exchange.incoming, headers } });
    const error = await errorOf(answer);
    expect([answer.status, error.code]).toEqual([status, code]);
    expect(error.request_id).toBe(answer.headers['x-request-id']);
    expect(['r-header', 'r-1', 'r-2']).toContain(error.request_id);
    expect(logged()).toEqual([
      expect.objectContaining({ outcome: 'error', error_code: code, request_id: error.request_id }),
    ]);
  });

  it('says which method it takes', async () => {
    const { service } = serviceOver(await openTiny());
    const get = post('');
    const answer = await service.answer({ ...get, incoming: { ...get.incoming, method: 'GET' } });
    expect([answer.status, answer.headers['allow'], (await errorOf(answer)).code]).toEqual([
      405,
      'POST',
      'method_not_allowed',
    ]);
  });

  it('names the field at fault', async () => {
    const { service } = serviceOver(await openTiny());
    const answer = await service.answer(post({ ...textRequest([]), input: { kind: 'text', texts: ['fine', 7] } }));
    expect((await errorOf(answer)).message).toContain('input.texts.1');
  });

  it('makes an id of its own where the caller sent none that fits a header', async () => {
    const { service } = serviceOver(await openTiny());
    const answer = await service.answer(post(textRequest(['a'], { request_id: 'two\r\nlines' })));
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    await bodyOf(answer);
  });

  it('never puts a caller-sent text into the log, whatever goes wrong', async () => {
    const canary = 'CANARY-7f3a';
    const registry = await openTiny(undefined, async () =>
      fakeSession(3, () => Promise.reject(new Error(`bad ${canary}`))),
    );
    const { service, rawLog } = serviceOver(registry);
    const bodies = [
      textRequest([canary]),
      textRequest([canary], { model: canary }),
      { ...textRequest(['a']), [canary]: canary },
      `{"a": ${canary}`,
      textRequest(['a'], { request_id: `${canary} with a space` }),
    ];
    const statuses: number[] = [];
    for (const body of bodies) {
      const answer = await service.answer(post(body));
      expect(await bodyOf(answer)).not.toContain(`bad ${canary}`);
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([500, 404, 400, 400, 500]);
    expect(rawLog()).not.toContain(canary);
    expect(rawLog().split('\n')).toHaveLength(bodies.length + 1);
  });
});

/** Every input takes 100 ms of a clock that only inputs move. */
async function slowService(
  groupSize = 2,
): Promise<ReturnType<typeof serviceOver> & { nowMs: () => number; runs: () => number }> {
  let nowMs = 0;
  let runs = 0;
  const registry = await openTiny(['base'], async () =>
    fakeSession(3, () => {
      nowMs += 100;
      runs += 1;
    }),
  );
  return { ...serviceOver(registry, { nowMs: () => nowMs, groupSize }), nowMs: () => nowMs, runs: () => runs };
}

describe('time and giving up', () => {
  const tenTexts = Array<string>(10).fill('hello');

  it('stops at the deadline and says so in the last line', async () => {
    const { service, logged, runs } = await slowService();
    const answer = await service.answer(post(textRequest(tenTexts, { deadline_ms: 250 }), {}, { receivedAtMs: 0 }));
    const lines = parseLines(await bodyOf(answer));
    expect(lines.filter(({ kind }) => kind === 'prediction')).toHaveLength(3);
    expect(lines.at(-1)).toMatchObject({ kind: 'error', code: 'deadline_exceeded' });
    expect(runs()).toBe(3);
    expect(logged()).toEqual([
      expect.objectContaining({
        outcome: 'error',
        error_code: 'deadline_exceeded',
        items: 10,
        answered: 3,
        compute_ms: 300,
      }),
    ]);
  });

  it('keeps what was computed before a deadline inside the first group', async () => {
    const { service } = await slowService(16);
    const answer = await service.answer(post(textRequest(tenTexts, { deadline_ms: 150 }), {}, { receivedAtMs: 0 }));
    expect(answer.status).toBe(200);
    expect(parseLines(await bodyOf(answer)).map(({ kind }) => kind)).toEqual(['prediction', 'prediction', 'error']);
  });

  it('takes the nearer of the deadlines in body, header and platform', async () => {
    for (const [header, platformLimitMs] of [
      ['150', 1000],
      ['1000', 150],
      ['nonsense', 150],
    ] as const) {
      const { service } = await slowService();
      const more = { receivedAtMs: 0, platformLimitMs };
      const answer = await service.answer(
        post(textRequest(tenTexts, { deadline_ms: 900 }), { 'x-deadline-ms': header }, more),
      );
      expect(parseLines(await bodyOf(answer)).filter(({ kind }) => kind === 'prediction')).toHaveLength(2);
    }
  });

  it('answers 504 when the deadline passed before anything was computed', async () => {
    const { service, runs } = await slowService();
    const answer = await service.answer(post(textRequest(['a'], { deadline_ms: 5 }), {}, { receivedAtMs: -10 }));
    expect([answer.status, (await errorOf(answer)).code, runs()]).toEqual([504, 'deadline_exceeded', 0]);
  });

  it('computes no more once the caller has left, and writes no last line', async () => {
    const { service, logged, runs } = await slowService();
    const caller = new AbortController();
    const answer = await service.answer(post(textRequest(tenTexts), {}, { receivedAtMs: 0, signal: caller.signal }));
    const chunks: string[] = [];
    for await (const chunk of answer.body) {
      chunks.push(chunk);
      caller.abort();
    }
    expect(chunks).toHaveLength(1);
    expect(runs()).toBe(2);
    expect(logged()).toEqual([
      expect.objectContaining({ outcome: 'aborted', error_code: 'client_closed_request', answered: 2 }),
    ]);
  });

  it('ends a started answer with an error line when the runtime fails in the middle', async () => {
    let runs = 0;
    const registry = await openTiny(['base'], async () =>
      fakeSession(3, () => {
        runs += 1;
        if (runs === 4) throw new TypeError('secret');
      }),
    );
    const { service, logged, rawLog } = serviceOver(registry, { groupSize: 2 });
    const text = await bodyOf(await service.answer(post(textRequest(tenTexts))));
    expect(parseLines(text).at(-1)).toMatchObject({ kind: 'error', code: 'internal' });
    expect(text + rawLog()).not.toContain('secret');
    expect(logged()).toEqual([
      expect.objectContaining({ error_code: 'internal', detail: expect.stringContaining('TypeError') }),
    ]);
  });

  it('refuses what is over its limit of requests at once, and takes it again later', async () => {
    const { service } = serviceOver(await openTiny(['base'], async () => fakeSession(3)), { maxInFlight: 1 });
    const open = await service.answer(post(textRequest(['a'])));
    const refused = await service.answer(post(textRequest(['a'])));
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    await bodyOf(open);
    const bad = await service.answer(post('{'));
    expect(bad.status).toBe(400);
    await bodyOf(bad);
    expect((await service.answer(post(textRequest(['a'])))).status).toBe(200);
  });

  it('lets two requests take turns instead of one waiting for the other to end', async () => {
    const order: string[] = [];
    const registry = await openTiny(['base'], async () => fakeSession(3));
    const { service } = serviceOver(registry, { groupSize: 1 });
    async function run(name: string): Promise<void> {
      const answer = await service.answer(post(textRequest(['a', 'b', 'c'])));
      for await (const _ of answer.body) order.push(name);
    }
    await Promise.all([run('x'), run('y')]);
    expect(order.slice(0, 4).toSorted()).toEqual(['x', 'x', 'y', 'y']);
  });
});
