/**
 * One ONNX model loaded into onnxruntime-node. Owns tensors in and logits, or an embedding, out.
 * The only file that knows the runtime; tests put a plain function in its place.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** One input in the model's own terms. */
export type Features =
  | { readonly kind: 'text'; readonly ids: readonly number[] }
  | { readonly kind: 'image'; readonly height: number; readonly width: number; readonly pixels: Float32Array }
  | { readonly kind: 'numbers'; readonly row: Float32Array };

export type Session = {
  /**
   * The logits, or the embedding, of one input. Never of several: the int8 models scale their activations over the whole call, so neighbours
   * and padding would change the answer (by up to 0.24 of confidence in batches of 16, which saved 2 to 12 % of CPU time).
   */
  readonly run: (features: Features) => Promise<Float32Array>;
};

export type OpenSession = (model: Uint8Array) => Promise<Session>;

export function sessionOpener(intraOpThreads: number): OpenSession {
  return async (model) => {
    const session = await InferenceSession.create(model, {
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // Warnings of the native library would mix unstructured text into the log.
      logSeverityLevel: 3,
    });
    return {
      async run(features) {
        const outputs = await session.run(feeds(features));
        const data = (outputs['logits'] ?? outputs['embedding'])?.data;
        if (!(data instanceof Float32Array))
          throw new TypeError('The model has no float32 output named logits or embedding.');
        return data;
      },
    };
  };
}

function feeds(features: Features): Record<string, Tensor> {
  if (features.kind === 'image') {
    return { image: new Tensor('float32', features.pixels, [1, 1, features.height, features.width]) };
  }
  if (features.kind === 'numbers') return { features: new Tensor('float32', features.row, [1, features.row.length]) };
  const shape = [1, features.ids.length];
  return {
    input_ids: new Tensor('int64', BigInt64Array.from(features.ids, BigInt), shape),
    attention_mask: new Tensor('int64', new BigInt64Array(features.ids.length).fill(1n), shape),
  };
}
