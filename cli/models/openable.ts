/**
 * Whether ONNX Runtime opens an ONNX file as its worker does: from its bytes alone. Owns saying why not.
 */
import { InferenceSession } from 'onnxruntime-node';
import { decodeModel } from '../onnx/decode.ts';
import { OnnxError } from '../onnx/onnx-error.ts';
import { UserError } from '../user-error.ts';
import { readUserFile } from './examples.ts';

export async function refuseUnopenable(file: string, output: string | undefined): Promise<void> {
  const bytes = await readUserFile(file);
  refuseExternal(bytes);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 }).catch((cause: unknown) => {
    throw new UserError(`ONNX Runtime cannot open ${file}: ${String(cause)}`, { cause });
  });
  const { outputNames } = session;
  await session.release();
  if (output !== undefined && !outputNames.includes(output))
    throw new UserError(`${file} has no output ${output}: it has ${outputNames.join(', ')}.`);
}

/** Here the runtime would find the other file in the working folder; the worker has none. */
function refuseExternal(bytes: Uint8Array): void {
  try {
    decodeModel(bytes);
  } catch (error) {
    // What else the compiler cannot read, ONNX Runtime may.
    if (error instanceof OnnxError && error.code === 'onnx_external') throw error;
  }
}
