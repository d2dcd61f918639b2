/**
 * What can be wrong with a device's frame or with what it asks. Codes are API: add, never renumber.
 * Owns the table and the one error the codec throws; what to do about it is the receiver's business.
 */

/** Position + 1 is the number on the wire. */
const DEVICE_ERROR_CODES = [
  /** Shorter or longer than a frame can be. */
  'bad_length',
  /** Not this family of frames, or not this version of it. */
  'bad_version',
  'bad_checksum',
  'unknown_type',
  /** The payload is not what its type says. */
  'bad_payload',
  /** A sequence number that is not the one after the last. */
  'replayed',
  /** The id in `hello` is not the one whose key opened the connection. */
  'wrong_identity',
  /** A message that may not come now, such as anything before `hello`. */
  'unexpected',
  /** More at once than the window allows. */
  'window_exceeded',
  'deadline_passed',
  /** Another model than the one that is loaded, or none. */
  'model_mismatch',
  /** An input that the model cannot take. */
  'unsupported_input',
  /** The gateway found no answer to what the device asked. */
  'no_answer',
  /** A model that does not fit, or is not one. */
  'model_refused',
  'internal',
] as const;

export type DeviceErrorCode = (typeof DEVICE_ERROR_CODES)[number];

export function numberOfDeviceError(code: DeviceErrorCode): number {
  return DEVICE_ERROR_CODES.indexOf(code) + 1;
}

/** A number that a newer peer may know and this one does not reads as `internal`. */
export function deviceErrorOf(number: number): DeviceErrorCode {
  return DEVICE_ERROR_CODES[number - 1] ?? 'internal';
}

export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code: DeviceErrorCode;

  /** @param message public: never holds what the frame carried */
  constructor(code: DeviceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
