/**
 * A call's input -> the tensors that the server's model takes. The server's own metadata decides ranks; ours decides sizes.
 */
import type { RemoteModel } from '../../../shared/schema/config.ts';
import type { ModelInput } from '../../../shared/schema/model-input.ts';
import type { NamedTensor } from '../../../shared/schema/tensor.ts';
import { encodeElements } from '../../../shared/schema/tensor-elements.ts';
import type { RemoteMetadata } from './metadata.ts';

const encoder = new TextEncoder();

/** Undefined where the kind of input has no tensor at this server. */
export function tensorsOfCall(
  input: ModelInput,
  remote: RemoteModel,
  metadata: RemoteMetadata,
): readonly NamedTensor[] | undefined {
  if (input.kind === 'tensors') return input.tensors;
  if (remote.input === null) return undefined;
  const name = remote.input;
  const rank = metadata.inputs.find((tensor) => tensor.name === name)?.shape.length;
  switch (input.kind) {
    case 'text': {
      const shape = rank === 2 ? [input.texts.length, 1] : [input.texts.length];
      const bytes = encodeElements('BYTES', input.texts, (text) => encoder.encode(text));
      return [{ name, datatype: 'BYTES', shape, bytes }];
    }
    case 'image':
      return [floats(name, input.images, imageShape(input.height, input.width, input.channels, metadata, name))];
    case 'numbers':
      return [floats(name, input.rows, [input.size])];
    case 'chat':
      return undefined;
  }
}

/** With one channel, all layouts are the same bytes; the server says how it writes the shape. */
function imageShape(
  height: number,
  width: number,
  channels: number,
  metadata: RemoteMetadata,
  name: string,
): readonly number[] {
  const shape = metadata.inputs.find((tensor) => tensor.name === name)?.shape;
  if (shape?.length === 3) return [height, width];
  return shape?.[1] === channels ? [channels, height, width] : [height, width, channels];
}

function floats(name: string, rows: readonly Float32Array[], itemShape: readonly number[]): NamedTensor {
  const values = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    values.set(row, offset);
    offset += row.length;
  }
  return { name, datatype: 'FP32', shape: [rows.length, ...itemShape], bytes: new Uint8Array(values.buffer) };
}
