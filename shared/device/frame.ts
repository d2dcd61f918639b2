/**
 * The envelope of every message between a device and the hub: twelve bytes before the payload, four behind it.
 * Owns version, checksum and sequence; payloads are messages.ts. devices/PROTOCOL.md is the same, byte by byte.
 */
import { crc32 } from '../hash/crc32.ts';
import { FrameError } from './frame-error.ts';
import { decodePayload, encodePayload, HASH_PREFIX_BYTES, numberOfType, type DeviceMessage } from './messages.ts';
import { tensorBytes, type DeviceTensor } from './tensor.ts';

/** High half: this family of frames; low half: its version. */
const FAMILY_AND_VERSION = 0xd1;
const HEADER_BYTES = 12;
const CHECKSUM_BYTES = 4;
export const FRAME_OVERHEAD_BYTES = HEADER_BYTES + CHECKSUM_BYTES;
/** What a device without a heap can promise to hold is far less, and said in its `hello`. */
export const MAX_FRAME_BYTES = 16_384;
/** What the deadline field holds at most; longer ones are cut to it. */
const MAX_DEADLINE_MS = 65_535;

export type DeviceFrame = {
  /** Counts up by one a frame in each direction of one connection, from 1. */
  readonly sequence: number;
  /** Ties an answer to what it answers; 0 where a message stands alone. */
  readonly request: number;
  /** What is left for the answer, in ms; 0: no deadline. */
  readonly deadlineMs: number;
  readonly message: DeviceMessage;
};

/** @throws RangeError where a value does not fit its field */
export function encodeFrame(frame: DeviceFrame): Uint8Array<ArrayBuffer> {
  const payload = encodePayload(frame.message);
  const length = payload.length + FRAME_OVERHEAD_BYTES;
  if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes, ${MAX_FRAME_BYTES} allowed`);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = FAMILY_AND_VERSION;
  bytes[1] = numberOfType(frame.message.type);
  view.setUint16(2, deadlineField(frame.deadlineMs), true);
  view.setUint32(4, frame.sequence, true);
  view.setUint32(8, frame.request, true);
  bytes.set(payload, HEADER_BYTES);
  view.setUint32(length - CHECKSUM_BYTES, crc32(bytes.subarray(0, length - CHECKSUM_BYTES)), true);
  return bytes;
}

/** Of a request with this tensor, before it is encoded. */
export function inferFrameBytes(tensor: DeviceTensor): number {
  return FRAME_OVERHEAD_BYTES + HASH_PREFIX_BYTES + tensorBytes(tensor);
}

/** @throws FrameError and nothing else, whatever the bytes are */
export function decodeFrame(bytes: Uint8Array): DeviceFrame {
  const { length } = bytes;
  if (length < FRAME_OVERHEAD_BYTES || length > MAX_FRAME_BYTES) {
    throw new FrameError('bad_length', `a frame of ${length} bytes`);
  }
  if (bytes[0] !== FAMILY_AND_VERSION) throw new FrameError('bad_version', `frame version ${bytes[0] ?? 0}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const checksum = view.getUint32(length - CHECKSUM_BYTES, true);
  if (crc32(bytes.subarray(0, length - CHECKSUM_BYTES)) !== checksum) {
    throw new FrameError('bad_checksum', 'the checksum does not match');
  }
  return {
    deadlineMs: view.getUint16(2, true),
    sequence: view.getUint32(4, true),
    request: view.getUint32(8, true),
    message: decodePayload(bytes[1] ?? 0, bytes.subarray(HEADER_BYTES, length - CHECKSUM_BYTES)),
  };
}

/**
 * The last sequence number seen, after this one. Frames come over one ordered connection: a number that is not the next was
 * played again, or something between was lost, and neither may pass.
 * @throws FrameError
 */
export function takeSequence(last: number, sequence: number): number {
  if (sequence !== last + 1) throw new FrameError('replayed', `frame ${sequence} after frame ${last}`);
  return sequence;
}

/** At least 1, because 0 means none. */
function deadlineField(deadlineMs: number): number {
  if (deadlineMs <= 0) return 0;
  return Math.min(MAX_DEADLINE_MS, Math.max(1, Math.floor(deadlineMs)));
}
