/**
 * Tensors of a v2 body, as JSON or from the binary part -> NamedTensor. Every length is checked before it is believed:
 * a shape that lies about its data, a BYTES length past the end, binary data nobody claims.
 */
import * as z from 'zod/mini';
import { issuePath } from '../schema/issue-path.ts';
import { DATATYPE_BYTES, DATATYPES, elementCount, MAX_RANK, type NamedTensor } from '../schema/tensor.ts';
import { encodeElements, flattenElements, splitBytes, TensorElementError } from '../schema/tensor-elements.ts';
import { OpenInferenceError } from './protocol-error.ts';

const MAX_TENSORS = 64;

const parametersSchema = z.record(z.string(), z.unknown());

const tensorSchema = z.looseObject({
  name: z.string('must be a text'),
  datatype: z.enum(DATATYPES, `must be one of ${DATATYPES.join(', ')}`),
  shape: z
    .array(z.int('must be a whole number').check(z.minimum(0, 'must not be negative')), 'must be a list of lengths')
    .check(z.maxLength(MAX_RANK, `has more than ${MAX_RANK} dimensions`)),
  // KServe writes null where it has nothing to say.
  parameters: z.optional(z.nullable(parametersSchema)),
  data: z.optional(z.nullable(z.array(z.unknown(), 'must be a list'))),
});

const tensorsSchema = z
  .array(tensorSchema, 'must be a list of tensors')
  .check(z.minLength(1, 'is empty'), z.maxLength(MAX_TENSORS, `has more than ${MAX_TENSORS} tensors`));

type WireTensor = z.infer<typeof tensorSchema>;

/**
 * @param field where the list stands, for messages: `inputs` or `outputs`
 * @param encode UTF-8, which the language's own library lacks
 * @throws OpenInferenceError
 */
export function readTensors(
  value: unknown,
  binary: Uint8Array,
  field: string,
  encode: (text: string) => Uint8Array,
): NamedTensor[] {
  const parsed = tensorsSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue === undefined || issue.path.length === 0 ? field : `${field}${issuePath(issue.path)}`;
    throw new OpenInferenceError(path, issue?.message ?? 'does not have the expected shape');
  }
  let offset = 0;
  const tensors = parsed.data.map((wire, index): NamedTensor => {
    const path = `${field}[${index}]`;
    const { name, datatype, shape } = wire;
    const count = elementCount(shape);
    if (!Number.isSafeInteger(count)) throw new OpenInferenceError(`${path}.shape`, 'is too large');
    const sizeBytes = binarySize(wire, path);
    if (sizeBytes === undefined) return { name, datatype, shape, bytes: fromJson(wire, count, path, encode) };
    const bytes = binary.subarray(offset, offset + sizeBytes);
    offset += sizeBytes;
    checkBinary(wire, bytes, sizeBytes, count, path);
    return { name, datatype, shape, bytes };
  });
  if (offset < binary.byteLength)
    throw new OpenInferenceError(field, `leave ${binary.byteLength - offset} bytes of binary data to no tensor`);
  return tensors;
}

function binarySize({ parameters, data }: WireTensor, path: string): number | undefined {
  if (parameters?.['shared_memory_region'] !== undefined)
    throw new OpenInferenceError(`${path}.parameters.shared_memory_region`, 'is not offered here');
  const size = parameters?.['binary_data_size'];
  if (size === undefined) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new OpenInferenceError(`${path}.parameters.binary_data_size`, 'must be a number of bytes');
  if (data !== undefined && data !== null)
    throw new OpenInferenceError(`${path}.data`, 'is given beside binary_data_size');
  return size;
}

function fromJson(
  { data, datatype }: WireTensor,
  count: number,
  path: string,
  encode: (text: string) => Uint8Array,
): Uint8Array {
  if (data === undefined || data === null) throw new OpenInferenceError(`${path}.data`, 'is missing');
  const flat = flattenElements(data);
  if (flat === undefined) throw new OpenInferenceError(`${path}.data`, 'is nested too deeply');
  if (flat.length !== count)
    throw new OpenInferenceError(`${path}.data`, `has ${flat.length} elements where the shape says ${count}`);
  try {
    return encodeElements(datatype, flat, encode);
  } catch (error) {
    if (error instanceof TensorElementError)
      throw new OpenInferenceError(`${path}.data[${error.index}]`, error.message);
    throw error;
  }
}

function checkBinary(wire: WireTensor, bytes: Uint8Array, sizeBytes: number, count: number, path: string): void {
  if (bytes.byteLength < sizeBytes)
    throw new OpenInferenceError(
      `${path}.parameters.binary_data_size`,
      `asks for ${sizeBytes} bytes where ${bytes.byteLength} are left`,
    );
  if (wire.datatype === 'BYTES') {
    const elements = splitBytes(bytes);
    if (elements === undefined) throw new OpenInferenceError(path, 'has an element whose length runs past the end');
    if (elements.length !== count)
      throw new OpenInferenceError(path, `has ${elements.length} elements where the shape says ${count}`);
    return;
  }
  const expected = count * DATATYPE_BYTES[wire.datatype];
  if (sizeBytes !== expected)
    throw new OpenInferenceError(path, `has ${sizeBytes} bytes where shape and datatype say ${expected}`);
  if (wire.datatype === 'BOOL' && bytes.some((byte) => byte > 1))
    throw new OpenInferenceError(path, 'has a BOOL that is neither 0 nor 1');
}
