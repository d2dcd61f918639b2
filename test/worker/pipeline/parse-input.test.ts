/** Inputs that are neither text nor image: rows of numbers, tensors, conversations. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../shared/errors.ts';
import type { ModelInputSpec } from '../../../shared/schema/card.ts';
import { parseInput } from '../../../worker/pipeline/parse-input.ts';

const numbers: ModelInputSpec = { kind: 'numbers', size: 3 };
const chat: ModelInputSpec = { kind: 'chat', max_chars: 20, max_output_tokens: 10 };
const tensors: ModelInputSpec = {
  kind: 'tensors',
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 2] },
    { name: 'flag', datatype: 'BOOL', shape: [1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
};
const flag = { name: 'flag', datatype: 'BOOL', shape: [1], data: [true] };
const x = { name: 'x', datatype: 'FP32', shape: [2, 2], data: [1, 2, 3, 4] };

async function fieldRefused(value: unknown, spec: ModelInputSpec): Promise<string | undefined> {
  try {
    await parseInput(value, spec, 2);
  } catch (error) {
    if (error instanceof GatewayError && error.code !== 'internal') return error.field;
    throw error;
  }
  throw new Error('was taken');
}

describe('rows of numbers', () => {
  it('are one row or a batch', async () => {
    expect(await parseInput([1, 2, 3], numbers, 2)).toEqual({
      kind: 'numbers',
      size: 3,
      rows: [Float32Array.of(1, 2, 3)],
    });
    const batch = await parseInput(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      numbers,
      2,
    );
    expect(batch).toMatchObject({ rows: [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)] });
  });

  it.each([
    ['text', 'input_data'],
    [[], 'input_data'],
    [[1, 2], 'input_data'],
    [[1, 2, 'x'], 'input_data[2]'],
    [[1, 2, 1e39], 'input_data[2]'],
    [[[1, 2, 3], 4], 'input_data[1]'],
    [
      [
        [1, 2, 3],
        [1, 2],
      ],
      'input_data[1]',
    ],
    [
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
      'input_data',
    ],
  ])('are refused as %j, naming %s', async (value, field) => {
    expect(await fieldRefused(value, numbers)).toBe(field);
  });
});

describe('tensors', () => {
  it('are flat or nested, in any order', async () => {
    const flat = await parseInput([flag, x], tensors, 2);
    const nested = await parseInput(
      [
        flag,
        {
          ...x,
          data: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
      tensors,
      2,
    );
    expect(flat).toEqual(nested);
    expect(flat).toMatchObject({ kind: 'tensors', tensors: [{ name: 'flag' }, { name: 'x', shape: [2, 2] }] });
  });

  it.each([
    [[x], 'input_data'],
    [[x, x, flag], 'input_data[1].name'],
    [[{ ...x, name: 'z' }, flag], 'input_data[0].name'],
    [[{ ...x, datatype: 'FP64' }, flag], 'input_data[0].datatype'],
    [[{ ...x, datatype: 'FP8' }, flag], 'input_data[0].datatype'],
    [[{ ...x, shape: [4] }, flag], 'input_data[0].shape'],
    [[{ ...x, shape: [-2, -2] }, flag], 'input_data[0].shape[0]'],
    [[{ ...x, shape: [2e9, 2e9] }, flag], 'input_data[0].shape'],
    [[{ ...x, data: [1, 2, 3] }, flag], 'input_data[0].data'],
    [[{ ...x, data: [1, 2, 3, 'x'] }, flag], 'input_data[0].data[3]'],
    [[{ ...x, data: [[[[[[[[[[1]]]]]]]]]] }, flag], 'input_data[0].data'],
    [{}, 'input_data'],
    [[], 'input_data'],
  ])('are refused as %j, naming %s', async (value, field) => {
    expect(await fieldRefused(value, tensors)).toBe(field);
  });
});

describe('a conversation', () => {
  const user = { role: 'user', content: 'hi' };

  it('is a text, messages, or messages with settings', async () => {
    expect(await parseInput('hi', chat, 2)).toMatchObject({ kind: 'chat', messages: [user] });
    expect(await parseInput([user], chat, 2)).toMatchObject({ messages: [user], stop: [] });
    expect(await parseInput({ messages: [user], max_tokens: 5, seed: 1 }, chat, 2)).toMatchObject({
      maxTokens: 5,
      seed: 1,
    });
  });

  it.each([
    [3, 'input_data'],
    ['', 'input_data'],
    ['x'.repeat(21), 'input_data'],
    [[], 'input_data.messages'],
    [[{ role: 'tool', content: '' }], 'input_data.messages[0].role'],
    [{ messages: [user], max_tokens: 11 }, 'input_data.max_tokens'],
    [{ messages: [user], temperature: 3 }, 'input_data.temperature'],
    [{ messages: [user], tools: [] }, 'input_data'],
  ])('is refused as %j, naming %s', async (value, field) => {
    expect(await fieldRefused(value, chat)).toBe(field);
  });
});
