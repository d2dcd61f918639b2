/**
 * A model on its way to a device: an offer, then one piece after another, each asked for by the device. The device's own
 * acknowledgements say where it stands, so the hub keeps nothing and may sleep, and a new connection goes on where the last
 * one ended.
 */
import { FRAME_OVERHEAD_BYTES } from '../../shared/device/frame.ts';
import { HASH_PREFIX_BYTES, type DeviceMessage } from '../../shared/device/messages.ts';
import { bytesFromHex, prefixOf } from './dispatcher.ts';

export type DeviceModel = {
  /** `model/variant`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
};

const OFFSET_BYTES = 4;
const MAX_CHUNK_BYTES = 4_096;
const LEAST_CHUNK_BYTES = 64;

export function offerOf(model: DeviceModel, maxFrameBytes: number): DeviceMessage {
  return {
    type: 'model_offer',
    modelHash: bytesFromHex(model.sha256),
    sizeBytes: model.bytes.length,
    chunkBytes: chunkBytes(maxFrameBytes),
    modelName: model.name,
  };
}

/** The bytes from `offset` on, as many as a frame takes; undefined where there are none. */
export function chunkFor(model: DeviceModel, offset: number, maxFrameBytes: number): DeviceMessage | undefined {
  if (offset >= model.bytes.length) return undefined;
  const bytes = model.bytes.subarray(offset, offset + chunkBytes(maxFrameBytes));
  return { type: 'model_chunk', modelHashPrefix: prefixOf(model.sha256), offset, bytes };
}

/** A multiple of 64, so that a device writes whole words of its flash. */
function chunkBytes(maxFrameBytes: number): number {
  const room = maxFrameBytes - FRAME_OVERHEAD_BYTES - HASH_PREFIX_BYTES - OFFSET_BYTES;
  return Math.max(LEAST_CHUNK_BYTES, Math.min(MAX_CHUNK_BYTES, room - (room % LEAST_CHUNK_BYTES)));
}
