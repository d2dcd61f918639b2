/** A v2 server that fails, lies, or is not the one the configuration describes. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerResponse } from 'node:http';
import type { TargetCall, TargetResult } from '../../../worker/ports.ts';
import { createGpuTarget } from '../../../worker/targets/gpu.ts';
import { gpuSpec } from '../../fakes/gpu-spec.ts';
import { SERVER_TOKEN, startOpenInferenceServer, type OpenInferenceFake } from '../../fakes/open-inference-server.ts';
import { imageCall, textCall } from '../../fakes/sample-call.ts';

const opened: OpenInferenceFake[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function open(binary = true) {
  const server = await startOpenInferenceServer();
  opened.push(server);
  const clock = { nowMs: 1_000, now: () => clock.nowMs };
  const target = createGpuTarget({ spec: gpuSpec(server.url, binary), clock, secretOf: () => SERVER_TOKEN });
  const infer = (call: TargetCall = textCall(['yes'])): Promise<TargetResult> =>
    target.infer(call, new AbortController().signal);
  return { server, target, infer, clock };
}

const end =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  (_: unknown, response: ServerResponse) => {
    response.writeHead(status, headers);
    response.end(body);
  };

describe('a gpu target', () => {
  it('reads the metadata once and again when it is old', async () => {
    const { server, infer, clock } = await open();
    const metadataReads = () => server.requests.filter(({ method }) => method === 'GET').length;
    await infer();
    await infer();
    expect(metadataReads()).toBe(1);
    clock.nowMs += 61_000;
    await infer();
    expect(metadataReads()).toBe(2);
  });

  it('sends texts and images in the shapes the server writes them, and the id of the request', async () => {
    const { server, infer } = await open(false);
    await infer(textCall(['yes', 'no']));
    await infer(imageCall([0.25]));
    const bodies = server.requests
      .filter(({ method }) => method === 'POST')
      .map(({ body }) => JSON.parse(Buffer.from(body).toString()) as { id: string; inputs: { shape: number[] }[] });
    expect(bodies.map(({ inputs }) => inputs[0]?.shape)).toEqual([
      [2, 1],
      [1, 1, 2, 3],
    ]);
    expect(bodies[0]?.id).toBe('request-1');
    expect(server.requests.at(-1)?.path).toBe('/v2/models/dots/versions/1/infer');
  });

  it.each([
    [400, 'rejected'],
    [401, 'credentials'],
    [403, 'credentials'],
    [429, 'throttled'],
    [500, 'upstream_error'],
    [503, 'not_ready'],
  ])('calls HTTP %i %s', async (status, reason) => {
    const { server, infer } = await open();
    server.answerWith(end(status, '{"error": "a private thing"}', { 'retry-after': '3' }));
    const result = await infer();
    expect(result).toMatchObject({ kind: 'failed', reason, retryAfterMs: 3_000 });
    expect(JSON.stringify(result)).not.toContain('private');
  });

  it.each([
    ['no JSON', 'x'],
    ['no outputs', '{}'],
    [
      'another output',
      JSON.stringify({ outputs: [{ name: 'OTHER', datatype: 'FP32', shape: [1, 3], data: [1, 0, 0] }] }),
    ],
    ['too few rows', JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [3], data: [1, 0, 0] }] })],
    ['too few labels', JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [1, 2], data: [1, 0] }] })],
    [
      'no probabilities',
      JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [1, 3], data: [2, -1, 0] }] }),
    ],
    [
      'nothing but zeros',
      JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [1, 3], data: [0, 0, 0] }] }),
    ],
    [
      'texts for numbers',
      JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'BYTES', shape: [1, 3], data: ['a', 'b', 'c'] }] }),
    ],
    [
      'a shape that lies',
      JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'FP32', shape: [9, 3], data: [1, 0, 0] }] }),
    ],
  ])('calls an answer of %s garbage', async (_what, body) => {
    const { server, infer } = await open();
    server.answerWith(end(200, body));
    expect(await infer()).toMatchObject({ kind: 'failed', reason: 'garbage' });
  });

  it.each([
    ['tensors', 'rejected'],
    ['texts', 'garbage'],
  ] as const)('calls an answer to %s that is longer than can be held %s', async (kind, reason) => {
    const server = await startOpenInferenceServer();
    opened.push(server);
    server.describeAs('mood', { name: 'mood', inputs: [], outputs: null });
    server.answerWith(end(200, '{}', { 'content-length': String(64 * 1024 * 1024) }));
    const remote = { name: 'mood', version: null, input: null, output: null };
    const spec = gpuSpec(server.url, true, kind === 'tensors' ? { 'mood/micro': remote } : undefined);
    const target = createGpuTarget({ spec, clock: { now: () => 0 }, secretOf: () => SERVER_TOKEN });
    const call = textCall(['yes']);
    const tensor = { name: 'X', datatype: 'FP32' as const, shape: [1], bytes: new Uint8Array(4) };
    const wide: TargetCall = {
      ...call,
      model: { ...call.model, task: 'tensors', input: { kind: 'tensors', inputs: [tensor], outputs: [] } },
      input: { kind: 'tensors', tensors: [tensor] },
    };
    const result = await target.infer(kind === 'tensors' ? wide : call, new AbortController().signal);
    expect(result).toMatchObject({ kind: 'failed', reason });
  });

  it('takes logits with their temperature', async () => {
    const server = await startOpenInferenceServer();
    opened.push(server);
    server.answerWith(
      end(200, JSON.stringify({ outputs: [{ name: 'PROBS', datatype: 'FP64', shape: [1, 3], data: [2, 0, 0] }] })),
    );
    const remote = {
      name: 'mood',
      version: null,
      input: 'TEXT',
      output: { name: 'PROBS', holds: 'logits', temperature: 2 },
    } as const;
    const spec = gpuSpec(server.url, false, { 'mood/micro': remote });
    const target = createGpuTarget({ spec, clock: { now: () => 0 }, secretOf: () => SERVER_TOKEN });
    const result = await target.infer(textCall(['yes']), new AbortController().signal);
    const expected = Math.E / (Math.E + 2);
    expect(result).toMatchObject({ predictions: [{ label: 'yes', confidence: expect.closeTo(expected) as number }] });
  });

  it.each([
    ['another input', { inputs: [{ name: 'x', datatype: 'BYTES', shape: [-1] }], outputs: [] }],
    ['another datatype', { inputs: [{ name: 'TEXT', datatype: 'INT64', shape: [-1] }], outputs: [] }],
    ['another output', { inputs: [], outputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }] }],
  ])('says the model is broken where the metadata has %s', async (_what, metadata) => {
    const { server, infer } = await open();
    server.describeAs('mood', metadata);
    expect(await infer()).toMatchObject({ kind: 'failed', reason: 'model_broken' });
    expect(server.requests.every(({ method }) => method === 'GET')).toBe(true);
  });

  it('asks on where a server says nothing of its tensors', async () => {
    const { server, infer } = await open();
    server.describeAs('mood', { name: 'mood', inputs: [], outputs: null });
    expect(await infer()).toMatchObject({ kind: 'answered' });
  });

  it('says so where the server does not know the model, or wants another token', async () => {
    const { server, target } = await open();
    const other = { 'mood/micro': { name: 'gone', version: null, input: 'TEXT', output: null } };
    const lost = createGpuTarget({
      spec: gpuSpec(server.url, true, other),
      clock: { now: () => 0 },
      secretOf: () => SERVER_TOKEN,
    });
    const stranger = createGpuTarget({ spec: target.spec, clock: { now: () => 0 }, secretOf: () => 'wrong' });
    const signal = new AbortController().signal;
    expect(await lost.infer(textCall(['yes']), signal)).toMatchObject({ reason: 'model_broken' });
    expect(await stranger.infer(textCall(['yes']), signal)).toMatchObject({ reason: 'credentials' });
  });

  it('is unreachable without a url or without its secret, and says which', async () => {
    const clock = { now: () => 0 };
    const nowhere = createGpuTarget({ spec: gpuSpec(null, true), clock, secretOf: () => SERVER_TOKEN });
    const keyless = createGpuTarget({ spec: gpuSpec('https://gpu.example', true), clock, secretOf: () => undefined });
    expect(nowhere.unreachable).toBe('no base_url is configured');
    expect(keyless.unreachable).toBe('the secret GPU_TOKEN is not set');
    expect(await keyless.infer(textCall(['yes']), new AbortController().signal)).toMatchObject({
      reason: 'connect_failed',
    });
  });

  it.each(['cut_before_headers', 'stall_after_headers', 'cut_mid_body', 'garbage'] as const)(
    'survives %s',
    async (kind) => {
      const { server, infer } = await open();
      await infer();
      await server.setFault({ kind });
      const result = await infer(textCall(['yes'], { timeoutMs: 300 }));
      expect(result.kind).toBe('failed');
    },
  );
});
