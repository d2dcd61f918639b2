// Owns the error of everything that reads or compiles ONNX files. Printing it is the command line's.

export type OnnxErrorCode = 'onnx_corrupt' | 'onnx_unsupported' | 'onnx_too_large' | 'onnx_external';

/** What becomes of a model that the engine cannot run. */
export const ONNX_RUNTIME_CAN = 'ONNX Runtime, at the edge or in the cloud, can serve this model';

export class OnnxError extends Error {
  readonly code: OnnxErrorCode;

  constructor(code: OnnxErrorCode, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.name = 'OnnxError';
    this.code = code;
  }
}

const LONGEST_MESSAGE = 2000;
const LONGEST_NAME = 120;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Names in a file are anybody's: none moves the cursor of a terminal. */
function printable(text: string): string {
  return text.slice(0, LONGEST_MESSAGE).replace(UNSEEN, '\uFFFD');
}

/** The name of a node as messages have it. */
export function shownName(name: string): string {
  return printable(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name);
}

export function corrupt(message: string, options?: ErrorOptions): OnnxError {
  return new OnnxError('onnx_corrupt', message, options);
}

export function unsupported(message: string): OnnxError {
  return new OnnxError('onnx_unsupported', message);
}
