// Owns the error of everything that reads or compiles ONNX files. Printing it is the command line's.

export type OnnxErrorCode = 'onnx_corrupt' | 'onnx_unsupported' | 'onnx_too_large';

/** What becomes of a model that the engine cannot run. */
export const ONNX_RUNTIME_CAN = 'ONNX Runtime, at the edge or in the cloud, can serve this model';

export class OnnxError extends Error {
  readonly code: OnnxErrorCode;

  constructor(code: OnnxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OnnxError';
    this.code = code;
  }
}

export function corrupt(message: string, options?: ErrorOptions): OnnxError {
  return new OnnxError('onnx_corrupt', message, options);
}

export function unsupported(message: string): OnnxError {
  return new OnnxError('onnx_unsupported', message);
}
