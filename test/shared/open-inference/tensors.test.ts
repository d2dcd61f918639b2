/** Bodies of the Open Inference Protocol: there and back, and every lie they may tell. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenInferenceError } from '../../../shared/open-inference/protocol-error.ts';
import { readTensors } from '../../../shared/open-inference/read-tensors.ts';
import { joinBody, splitBody } from '../../../shared/open-inference/split-body.ts';
import { writeTensors } from '../../../shared/open-inference/write-tensors.ts';
import { DATATYPES } from '../../../shared/schema/tensor.ts';
import { encodeElements } from '../../../shared/schema/tensor-elements.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const read = (value: unknown, binary: Uint8Array = new Uint8Array(0)) => readTensors(value, binary, 'inputs', utf8);
const x = { name: 'x', datatype: 'FP32', shape: [2], data: [1, 2] };
const eight = new Uint8Array(8);
const binary = (change: object = {}, size: unknown = 8) => ({
  name: 'x',
  datatype: 'FP32',
  shape: [2],
  parameters: { binary_data_size: size },
  ...change,
});

function refusedAt(value: unknown, bytes?: Uint8Array): string {
  try {
    read(value, bytes);
  } catch (error) {
    if (error instanceof OpenInferenceError) return error.path;
    throw error;
  }
  throw new Error('was taken');
}

describe('tensors of a v2 body', () => {
  it.each(DATATYPES)('of %s are the same as JSON and as binary', (datatype) => {
    const elements =
      datatype === 'BYTES' ? ['a', '', 'caf\u00e9'] : datatype === 'BOOL' ? [true, false, true] : [1, 0, 2];
    const tensor = { name: 'x', datatype, shape: [3, 1], bytes: encodeElements(datatype, elements, utf8) };
    const asJson = writeTensors([tensor], () => false, text);
    const asBinary = writeTensors([tensor], () => true, text);
    expect(read(asJson.list)).toEqual([tensor]);
    const { json, binary: rest } = splitBody(joinBody(utf8('{}'), asBinary.binary), '2');
    expect(text(json)).toBe('{}');
    expect(read(asBinary.list, rest)).toEqual([tensor]);
  });

  it('may say nothing by null, as KServe does', () => {
    expect(read([{ ...x, parameters: null }])).toEqual(read([x]));
    expect(read([binary({ data: null })], eight)).toHaveLength(1);
  });

  it('may mix JSON and binary ones', () => {
    const tensors = read(
      [binary({ name: 'a' }), x, binary({ name: 'b', shape: [1] }, 4)],
      Uint8Array.of(...eight, 0, 0, 128, 63),
    );
    expect(tensors.map(({ name }) => name)).toEqual(['a', 'x', 'b']);
    expect(tensors[2]?.bytes).toEqual(Uint8Array.of(0, 0, 128, 63));
  });

  it.each([
    ['nothing', undefined, 'inputs'],
    ['an empty list', [], 'inputs'],
    ['no name', [{ ...x, name: undefined }], 'inputs[0].name'],
    ['an unknown datatype', [{ ...x, datatype: 'FP8' }], 'inputs[0].datatype'],
    ['a negative length', [{ ...x, shape: [-2] }], 'inputs[0].shape[0]'],
    ['a shape beyond any memory', [{ ...x, shape: [2 ** 30, 2 ** 30] }], 'inputs[0].shape'],
    ['too many dimensions', [{ ...x, shape: [1, 1, 1, 1, 1, 1, 1, 1, 2] }], 'inputs[0].shape'],
    ['a shape that lies', [{ ...x, shape: [3] }], 'inputs[0].data'],
    ['no data', [{ ...x, data: undefined }], 'inputs[0].data'],
    ['an element of another type', [{ ...x, data: [1, '2'] }], 'inputs[0].data[1]'],
    [
      'shared memory',
      [{ ...x, parameters: { shared_memory_region: 'r' } }],
      'inputs[0].parameters.shared_memory_region',
    ],
  ])('are refused with %s', (_what, value, path) => {
    expect(refusedAt(value)).toBe(path);
  });

  it.each([
    ['a size that is no number', [binary({}, '8')], eight, 'inputs[0].parameters.binary_data_size'],
    ['a negative size', [binary({}, -8)], eight, 'inputs[0].parameters.binary_data_size'],
    ['a size past the end', [binary({}, 9)], eight, 'inputs[0].parameters.binary_data_size'],
    ['data beside it', [binary({ data: [1, 2] })], eight, 'inputs[0].data'],
    ['a shape that lies', [binary({ shape: [3] })], eight, 'inputs[0]'],
    ['bytes left over', [binary({ shape: [1] }, 4)], eight, 'inputs'],
    ['bytes nobody asked for', [x], eight, 'inputs'],
    ['a BOOL of 2', [binary({ datatype: 'BOOL', shape: [1] }, 1)], Uint8Array.of(2), 'inputs[0]'],
    [
      'a BYTES length past the end',
      [binary({ datatype: 'BYTES', shape: [1] })],
      new Uint8Array(8).fill(255),
      'inputs[0]',
    ],
    ['fewer BYTES than the shape says', [binary({ datatype: 'BYTES', shape: [3] })], eight, 'inputs[0]'],
  ])('are refused, binary, with %s', (_what, value, bytes, path) => {
    expect(refusedAt(value, bytes)).toBe(path);
  });

  it('are taken whole or refused, whatever comes', () => {
    fc.assert(
      fc.property(fc.json(), fc.uint8Array({ maxLength: 64 }), (json, bytes) => {
        const value: unknown = JSON.parse(json);
        try {
          read(value, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(OpenInferenceError);
        }
      }),
    );
  });

  it('with any binary part are taken whole or refused', () => {
    const wire = fc.record({
      name: fc.constant('x'),
      datatype: fc.constantFrom(...DATATYPES),
      shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
      parameters: fc.record({ binary_data_size: fc.integer({ min: 0, max: 40 }) }),
    });
    fc.assert(
      fc.property(fc.array(wire, { maxLength: 3 }), fc.uint8Array({ maxLength: 60 }), (list, bytes) => {
        try {
          const total = read(list, bytes).reduce((sum, tensor) => sum + tensor.bytes.length, 0);
          expect(total).toBe(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(OpenInferenceError);
        }
      }),
    );
  });

  it.each(['', '-1', '3.5', '1e9', '99', 'abc'])('behind a header length of %j are refused', (length) => {
    expect(() => splitBody(utf8('{}'), length)).toThrow(OpenInferenceError);
  });
});
