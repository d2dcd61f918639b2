/** Answers in every shape they can arrive in: split anywhere, too long, cut, in disorder. */
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { TargetResult } from '../../../worker/ports.ts';
import { labelOf } from '../../fakes/sample-call.ts';
import { readUpstreamAnswer } from '../../../worker/targets/upstream-answer.ts';

const labels = new Set(['yes', 'no', 'caf\u00e9']);
const prediction = (label: string): string =>
  JSON.stringify({ kind: 'prediction', label, confidence: 0.5, top: [{ label, confidence: 0.5 }], truncated: false });
const done = (count: number): string => JSON.stringify({ kind: 'done', count, compute_ms: 7 });

/** @param cuts places at which the bytes are split into chunks; without any, the body has a length and comes whole */
function read(body: string | Uint8Array, count: number, cuts?: readonly number[]): Promise<TargetResult> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  if (cuts === undefined) {
    const response = new Response(new Uint8Array(bytes), { headers: { 'content-length': String(bytes.length) } });
    return readUpstreamAnswer(response, { count, labels });
  }
  const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      places.slice(1).forEach((end, index) => {
        if (end > (places[index] ?? 0)) controller.enqueue(bytes.slice(places[index], end));
      });
      controller.close();
    },
  });
  return readUpstreamAnswer(new Response(stream), { count, labels });
}

const good = `${prediction('yes')}\n${prediction('caf\u00e9')}\n${done(2)}\n`;

describe('an answer', () => {
  it('is the same however its bytes are split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(good.length + 2), { maxLength: 12 }), async (cuts) => {
        const result = await read(good, 2, cuts);
        expect(result.kind === 'answered' && result.predictions.map(labelOf)).toEqual(['yes', 'caf\u00e9']);
        expect(result.computeMs).toBe(7);
      }),
    );
  });

  it('that ends anywhere before its last line counts as cut, never as whole', async () => {
    const bytes = new TextEncoder().encode(good);
    // Without its newline the last line is still whole.
    for (let length = 0; length < bytes.length - 1; length += 1) {
      const part = bytes.slice(0, length);
      expect(await read(part, 2)).toMatchObject({ kind: 'failed', reason: 'cut' });
      expect(await read(part, 2, [10, 100])).toMatchObject({ kind: 'failed', reason: 'cut' });
    }
    expect(await read(bytes.slice(0, -1), 2)).toMatchObject({ kind: 'answered' });
  });

  it.each([
    ['with carriage returns and empty lines', `${prediction('yes')}\r\n\n${done(1)}\r\n`, 1],
    ['with keys it does not know', `${prediction('yes').replace('{', '{"new":1,')}\n${done(1)}\n`, 1],
  ])('%s is read', async (_name, body, count) => {
    expect(await read(body, count)).toMatchObject({ kind: 'answered' });
    expect(await read(body, count, [5])).toMatchObject({ kind: 'answered' });
  });

  it.each([
    ['a line that is not JSON', `${prediction('yes')}\nnonsense\n${done(1)}\n`],
    ['a line of another protocol', `{"generated_text":"yes"}\n`],
    ['HTML', '<html><body>It works!</body></html>\n'],
    ['a label the model does not have', `${prediction('maybe')}\n${done(1)}\n`],
    ['a confidence above one', `${prediction('yes').replaceAll('0.5', '1.5')}\n${done(1)}\n`],
    ['more predictions than asked', `${prediction('yes')}\n${prediction('no')}\n${done(2)}\n`],
    ['fewer predictions than asked', `${done(1)}\n`],
    ['a count that differs from the lines', `${prediction('yes')}\n${done(2)}\n`],
    ['something behind the last line', `${prediction('yes')}\n${done(1)}\n${prediction('no')}\n`],
    ['part of something behind the last line', `${prediction('yes')}\n${done(1)}\n{"ki`],
  ])('with %s is garbage', async (_name, body) => {
    expect(await read(body, 1)).toMatchObject({ kind: 'failed', reason: 'garbage' });
    expect(await read(body, 1, [])).toMatchObject({ kind: 'failed', reason: 'garbage' });
  });

  it('of bytes that are not UTF-8 is garbage', async () => {
    expect(await read(Uint8Array.of(0xff, 0xfe, 0x0a), 1)).toMatchObject({ reason: 'garbage' });
    expect(await read(Uint8Array.of(0xff, 0xfe, 0x0a), 1, [1])).toMatchObject({ reason: 'garbage' });
  });

  it('that never ends is given up at a bound, and its stream cancelled', async () => {
    let cancelled = false;
    let sentBytes = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sentBytes += 1_024;
        controller.enqueue(new Uint8Array(1_024).fill(0x20));
      },
      cancel() {
        cancelled = true;
      },
    });
    expect(await readUpstreamAnswer(new Response(endless), { count: 1, labels })).toMatchObject({ reason: 'garbage' });
    expect(cancelled).toBe(true);
    expect(sentBytes).toBeLessThan(40_000);
  });

  it('that declares an absurd length is not taken whole', async () => {
    const body = `${prediction('yes')}\n${done(1)}\n`;
    const response = new Response(body, { headers: { 'content-length': '99999999999' } });
    expect(await readUpstreamAnswer(response, { count: 1, labels })).toMatchObject({ kind: 'answered' });
  });

  it('is read to the end of its stream, so that the connection can be used again', async () => {
    const seen: string[] = [];
    const body = [`${prediction('yes')}\n`, `${done(1)}\n`];
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const chunk = body.shift();
          seen.push(chunk === undefined ? 'end' : 'chunk');
          if (chunk === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(chunk));
        },
        cancel() {
          seen.push('cancelled');
        },
      },
      { highWaterMark: 0 },
    );
    expect(await readUpstreamAnswer(new Response(stream), { count: 1, labels })).toMatchObject({ kind: 'answered' });
    expect(seen).toEqual(['chunk', 'chunk', 'end']);
  });

  it('whose stream stays open behind the last line is not waited for', async () => {
    let cancelled = false;
    const open = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`${prediction('yes')}\n${done(1)}\n`));
      },
      cancel() {
        cancelled = true;
      },
    });
    const startMs = performance.now();
    expect(await readUpstreamAnswer(new Response(open), { count: 1, labels })).toMatchObject({ kind: 'answered' });
    expect(performance.now() - startMs).toBeLessThan(1_000);
    await vi.waitFor(() => expect(cancelled).toBe(true));
  });

  it.each([
    ['invalid_input', 'rejected'],
    ['deadline_exceeded', 'timeout'],
    ['overloaded', 'throttled'],
    ['not_ready', 'not_ready'],
    ['internal', 'upstream_error'],
    ['toString', 'upstream_error'],
  ])('that ends with the error %s failed as %s, and its message is not passed on', async (code, reason) => {
    const result = await read(
      `${prediction('yes')}\n${JSON.stringify({ kind: 'error', code, message: 'private words' })}\n`,
      2,
    );
    expect(result).toMatchObject({ kind: 'failed', reason });
    expect(JSON.stringify(result)).not.toContain('private');
  });
});

describe('an answer of embeddings', () => {
  const line = (embedding: unknown): string => JSON.stringify({ kind: 'embedding', embedding, truncated: false });
  const readVectors = (body: string, known: ReadonlySet<string> = new Set()): Promise<TargetResult> =>
    readUpstreamAnswer(new Response(body), { count: 1, labels: known });

  it('is a vector a line', async () => {
    const result = await readVectors(`${line([0.6, -0.8])}\n${done(1)}\n`);
    expect(result).toMatchObject({ kind: 'answered', predictions: [{ kind: 'embedding', embedding: [0.6, -0.8] }] });
  });

  it.each([[[]], [['a']], [[null]], ['text']])('is refused with %j for a vector', async (embedding) => {
    expect(await readVectors(`${line(embedding)}\n${done(1)}\n`)).toMatchObject({ reason: 'garbage' });
  });

  it('is refused where labels are asked', async () => {
    expect(await readVectors(`${line([1])}\n${done(1)}\n`, labels)).toMatchObject({ reason: 'garbage' });
  });
});
