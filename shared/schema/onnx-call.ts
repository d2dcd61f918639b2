/**
 * What the router asks of ONNX Runtime's worker, and what comes back: plain data that a service binding clones.
 * Owns types only. Both ends are ours and deployed together; what callers sent has been parsed before.
 */
import type { ImageInput, NumbersInput, TensorsInput, TextInput } from './model-input.ts';
import type { NamedTensor } from './tensor.ts';
import type { OnnxSpec, WeightsFile } from './weights.ts';

export type OnnxInput = TextInput | ImageInput | NumbersInput | TensorsInput;

export type OnnxCall = {
  readonly requestId: string;
  readonly file: WeightsFile;
  readonly onnx: OnnxSpec;
  readonly input: OnnxInput;
  /** After it nobody waits: what has not begun by then is not begun. */
  readonly timeoutMs: number;
};

/** The scores of one input, before temperature; of an embedding, its vector. */
export type OnnxRow = { readonly scores: Float32Array; readonly truncated: boolean };

export type OnnxAnswer =
  | { readonly kind: 'rows'; readonly rows: readonly OnnxRow[] }
  | { readonly kind: 'tensors'; readonly outputs: readonly NamedTensor[] }
  | {
      readonly kind: 'failed';
      readonly reason: 'rejected' | 'model_broken' | 'timeout';
      /** Public: neither input nor weights. */
      readonly detail: string;
      readonly retryAfterMs?: number;
    };

/** The binding ORT. */
export type OnnxWorker = { answer(call: OnnxCall): Promise<OnnxAnswer> };
