/**
 * Tensors as JSON writes them, `[{name, datatype, shape, data}]`, against the model's specification: flat or nested data,
 * every element within its datatype, as many as the shape says.
 */
import * as z from 'zod/mini';
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec, TensorSpec } from '../../shared/schema/card.ts';
import { issuePath } from '../../shared/schema/issue-path.ts';
import type { TensorsInput } from '../../shared/schema/model-input.ts';
import { DATATYPES, elementCount, type NamedTensor } from '../../shared/schema/tensor.ts';
import { encodeElements, TensorElementError } from '../../shared/schema/tensor-elements.ts';

type TensorsSpec = Extract<ModelInputSpec, { kind: 'tensors' }>;

const MAX_RANK = 8;
const MAX_TENSORS = 64;

const tensorSchema = z.looseObject({
  name: z.string('must be a text'),
  datatype: z.enum(DATATYPES, `must be one of ${DATATYPES.join(', ')}`),
  shape: z
    .array(z.int('must be a whole number').check(z.minimum(0, 'must not be negative')), 'must be a list of lengths')
    .check(z.maxLength(MAX_RANK, `has more than ${MAX_RANK} dimensions`)),
  data: z.array(z.unknown(), 'must be a list'),
});

const tensorsSchema = z
  .array(tensorSchema, 'must be a list of tensors: name, datatype, shape, data')
  .check(z.minLength(1, 'is empty'), z.maxLength(MAX_TENSORS, `has more than ${MAX_TENSORS} tensors`));

export function parseTensors(value: unknown, spec: TensorsSpec, field: string): TensorsInput {
  const parsed = tensorsSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue === undefined || issue.path.length === 0 ? field : `${field}${issuePath(issue.path)}`;
    throw wrong(path, issue?.message ?? 'does not have the expected shape');
  }
  const tensors = parsed.data.map(({ name, datatype, shape, data }, index): NamedTensor => {
    const path = `${field}[${index}]`;
    const count = elementCount(shape);
    if (!Number.isSafeInteger(count)) throw wrong(`${path}.shape`, 'is too large');
    const flat = flatten(data, count, `${path}.data`);
    try {
      return { name, datatype, shape, bytes: encodeElements(datatype, flat, (text) => new TextEncoder().encode(text)) };
    } catch (error) {
      if (error instanceof TensorElementError) throw wrong(`${path}.data[${error.index}]`, error.message);
      throw error;
    }
  });
  checkTensors(tensors, spec.inputs, field);
  return { kind: 'tensors', tensors };
}

/** Every input the model needs, once, of the datatype and shape it says; nothing else. */
function checkTensors(tensors: readonly NamedTensor[], specs: readonly TensorSpec[], field: string): void {
  const seen = new Set<string>();
  for (const [index, tensor] of tensors.entries()) {
    const spec = specs.find(({ name }) => name === tensor.name);
    const known = specs.map(({ name }) => name).join(', ');
    if (spec === undefined) throw wrong(`${field}[${index}].name`, `names no input of the model, which has ${known}`);
    if (seen.has(tensor.name)) throw wrong(`${field}[${index}].name`, 'is given twice');
    seen.add(tensor.name);
    if (spec.datatype !== tensor.datatype) throw wrong(`${field}[${index}].datatype`, `must be ${spec.datatype}`);
    if (!fits(tensor.shape, spec.shape))
      throw wrong(`${field}[${index}].shape`, `must be [${spec.shape.join(', ')}], -1 standing for any length`);
  }
  const missing = specs.find(({ name }) => !seen.has(name));
  if (missing !== undefined) throw wrong(field, `lacks the input ${missing.name}`);
}

function fits(shape: readonly number[], spec: readonly number[]): boolean {
  return shape.length === spec.length && spec.every((length, index) => length === -1 || length === shape[index]);
}

function flatten(data: readonly unknown[], count: number, path: string): unknown[] {
  const flat: unknown[] = [];
  const visit = (values: readonly unknown[], depth: number): void => {
    if (depth > MAX_RANK) throw wrong(path, 'is nested too deeply');
    for (const value of values) {
      if (Array.isArray(value)) visit(value, depth + 1);
      else flat.push(value);
    }
  };
  visit(data, 1);
  if (flat.length !== count) throw wrong(path, `has ${flat.length} elements where the shape says ${count}`);
  return flat;
}

function wrong(path: string, problem: string): GatewayError {
  return new GatewayError('invalid_input', `${path} ${problem}.`, { field: path });
}
