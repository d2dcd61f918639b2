/**
 * What a v2 server says of a model, and whether that fits what the configuration says. Owns parsing and comparing.
 */
import * as z from 'zod/mini';
import type { RemoteModel } from '../../../shared/schema/config.ts';
import type { ModelInput } from '../../../shared/schema/model-input.ts';

const tensorSchema = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.number()),
});

/** Servers that know nothing of a model's tensors say so with empty lists. */
const metadataSchema = z.object({
  inputs: z._default(z.nullable(z.array(tensorSchema)), []),
  outputs: z._default(z.nullable(z.array(tensorSchema)), []),
});

type RemoteTensor = z.infer<typeof tensorSchema>;

export type RemoteMetadata = { readonly inputs: readonly RemoteTensor[]; readonly outputs: readonly RemoteTensor[] };

export function parseMetadata(value: unknown): RemoteMetadata | undefined {
  const parsed = metadataSchema.safeParse(value);
  if (!parsed.success) return undefined;
  return { inputs: parsed.data.inputs ?? [], outputs: parsed.data.outputs ?? [] };
}

/** Why a call cannot fit the server's model, or undefined. Where the server says nothing, nothing is held against it. */
export function misfit(metadata: RemoteMetadata, remote: RemoteModel, input: ModelInput): string | undefined {
  if (input.kind === 'tensors') {
    for (const tensor of input.tensors) {
      const problem = misfitOf(metadata.inputs, tensor.name, tensor.datatype, tensor.shape);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if (remote.input === null || remote.output === null) return 'the configuration names no tensors for it';
  const outputs = metadata.outputs;
  if (outputs.length > 0 && !outputs.some(({ name }) => name === remote.output?.name))
    return `the server's model has no output ${remote.output.name}`;
  const datatype = input.kind === 'text' ? 'BYTES' : 'FP32';
  return misfitOf(metadata.inputs, remote.input, datatype, itemShapeOf(input));
}

/** Shape with the batch first; undefined: any. */
function itemShapeOf(input: ModelInput): readonly number[] | undefined {
  switch (input.kind) {
    case 'numbers':
      return [-1, input.size];
    case 'image':
    case 'text':
    case 'tensors':
    case 'chat':
      return undefined;
  }
}

function misfitOf(
  inputs: readonly RemoteTensor[],
  name: string,
  datatype: string,
  shape: readonly number[] | undefined,
): string | undefined {
  if (inputs.length === 0) return undefined;
  const known = inputs.find((tensor) => tensor.name === name);
  if (known === undefined) return `the server's model has no input ${name}`;
  if (known.datatype !== datatype) return `its input ${name} is ${known.datatype}, not ${datatype}`;
  if (shape === undefined) return undefined;
  const fits =
    known.shape.length === shape.length &&
    known.shape.every((length, index) => length === -1 || shape[index] === -1 || length === shape[index]);
  return fits ? undefined : `its input ${name} is [${known.shape.join(', ')}], not [${shape.join(', ')}]`;
}
