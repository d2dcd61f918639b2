/** The device frames: every message round trips; hostile bytes are refused with a typed error and nothing else. */
import { crc32 as zlibCrc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../shared/hash/crc32.ts';
import { FrameError } from '../../../shared/device/frame-error.ts';
import {
  decodeFrame,
  encodeFrame,
  FRAME_OVERHEAD_BYTES,
  takeSequence,
  type DeviceFrame,
} from '../../../shared/device/frame.ts';
import { MODEL_ACK_STATES, type DeviceMessage } from '../../../shared/device/messages.ts';
import { dequantize, quantizeUnit, type DeviceTensor } from '../../../shared/device/tensor.ts';

const u8 = fc.integer({ min: 0, max: 255 });
const u16 = fc.integer({ min: 0, max: 65_535 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const f32 = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const positive = fc.float({ noNaN: true, min: Math.fround(1e-6), max: 1_000 });
const ascii = (maxLength: number) =>
  fc.array(fc.integer({ min: 0x20, max: 0x7e }), { maxLength }).map((codes) => String.fromCharCode(...codes));
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const confidence = u16.map((value) => value / 65_535);

const tensor: fc.Arbitrary<DeviceTensor> = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
    positive,
    fc.integer({ min: -128, max: 127 }),
    fc.constantFrom('i8', 'i16', 'text'),
    fc.infiniteStream(fc.integer({ min: -128, max: 127 })),
  )
  .map(([shape, scale, zeroPoint, kind, values]) => {
    const count = shape.reduce((product, length) => product * length, 1);
    const data = Array.from({ length: count }, () => values.next().value ?? 0);
    if (kind === 'i8') return { shape, scale, zeroPoint, data: Int8Array.from(data) };
    if (kind === 'i16') return { shape, scale, zeroPoint, data: Int16Array.from(data, (value) => value * 256) };
    return { shape, scale, zeroPoint, data: Uint8Array.from(data) };
  });

const message: fc.Arbitrary<DeviceMessage> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    deviceId: ascii(64),
    firmware: ascii(32),
    modelName: ascii(64),
    modelHash: bytes(32),
    window: u8,
    maxFrameBytes: u16,
    slotBytes: u32,
    ramBytes: u32,
    token: bytes(16),
  }),
  fc.record({
    type: fc.constant('welcome' as const),
    resumed: fc.boolean(),
    window: u8,
    heartbeatS: u16,
    threshold: f32,
    token: bytes(16),
  }),
  fc.record({ type: fc.constant('infer' as const), modelHashPrefix: bytes(4), tensor }),
  fc.record({ type: fc.constant('result' as const), computeUs: u32, tensor }),
  fc.record({ type: fc.constant('ask' as const), label: u16, confidence, tensor }),
  fc.record({ type: fc.constant('answer' as const), label: u16, confidence }),
  fc.record({
    type: fc.constant('load' as const),
    queued: u8,
    busyPercent: fc.integer({ min: 0, max: 100 }),
    freeRamBytes: u32,
    uptimeS: u32,
    answered: u32,
    asked: u32,
  }),
  fc.record({ type: fc.constant('credit' as const), window: u8 }),
  fc.record({ type: fc.constant('threshold' as const), threshold: f32 }),
  fc.record({
    type: fc.constant('model_offer' as const),
    modelHash: bytes(32),
    sizeBytes: u32,
    chunkBytes: u16,
    modelName: ascii(64),
  }),
  fc.record({
    type: fc.constant('model_chunk' as const),
    modelHashPrefix: bytes(4),
    offset: u32,
    bytes: fc.uint8Array({ maxLength: 1_024 }),
  }),
  fc.record({
    type: fc.constant('model_ack' as const),
    modelHashPrefix: bytes(4),
    state: fc.constantFrom(...MODEL_ACK_STATES),
    nextOffset: u32,
  }),
  fc.record({ type: fc.constant('model_commit' as const), modelHash: bytes(32) }),
  fc.record({
    type: fc.constant('error' as const),
    code: fc.constantFrom('bad_checksum' as const, 'internal' as const, 'no_answer' as const),
    text: ascii(100),
  }),
);

const frame: fc.Arbitrary<DeviceFrame> = fc.record({ sequence: u32, request: u32, deadlineMs: u16, message });

/** Decodes; anything but a FrameError is a failure of the test. */
function tryDecode(candidate: Uint8Array): DeviceFrame | FrameError {
  try {
    return decodeFrame(candidate);
  } catch (error) {
    if (error instanceof FrameError) return error;
    throw error;
  }
}

/** Makes the checksum right again, so that what is behind it is reached. */
function resealed(candidate: Uint8Array): Uint8Array {
  const copy = candidate.slice();
  if (copy.length < FRAME_OVERHEAD_BYTES) return copy;
  copy[0] = 0xd1;
  new DataView(copy.buffer).setUint32(copy.length - 4, crc32(copy.subarray(0, -4)), true);
  return copy;
}

describe('device frames', () => {
  it('round trip, whatever the message', () => {
    fc.assert(
      fc.property(frame, (sent) => {
        expect(decodeFrame(encodeFrame(sent))).toEqual(sent);
      }),
    );
  });

  it('read the same from the middle of a larger buffer', () => {
    fc.assert(
      fc.property(frame, fc.integer({ min: 0, max: 7 }), (sent, shift) => {
        const encoded = encodeFrame(sent);
        const larger = new Uint8Array(encoded.length + 16).fill(0xaa);
        larger.set(encoded, shift);
        expect(decodeFrame(larger.subarray(shift, shift + encoded.length))).toEqual(sent);
      }),
    );
  });

  it('have the checksum that zlib computes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        expect(crc32(data)).toBe(zlibCrc32(data));
      }),
    );
  });

  it('cost 16 bytes around a payload', () => {
    const credit = encodeFrame({ sequence: 1, request: 0, deadlineMs: 0, message: { type: 'credit', window: 3 } });
    expect(credit.length).toBe(1 + FRAME_OVERHEAD_BYTES);
    expect(FRAME_OVERHEAD_BYTES).toBe(16);
  });

  it('are refused with a wrong checksum when any one bit is turned', () => {
    fc.assert(
      fc.property(frame, fc.nat(), (sent, position) => {
        const encoded = encodeFrame(sent);
        const bit = position % (encoded.length * 8);
        const at = bit >> 3;
        encoded[at] = (encoded[at] ?? 0) ^ (1 << (bit & 7));
        const result = tryDecode(encoded);
        expect(result).toBeInstanceOf(FrameError);
        expect(result instanceof FrameError && result.code).toBe(at === 0 ? 'bad_version' : 'bad_checksum');
      }),
    );
  });

  it('end in a typed error for any bytes, also under a checksum that fits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (junk) => {
        expect(() => tryDecode(junk)).not.toThrow();
        expect(() => tryDecode(resealed(junk))).not.toThrow();
      }),
      { numRuns: 3_000 },
    );
  });

  it('end in a typed error or another valid frame when a real one is mutilated', () => {
    fc.assert(
      fc.property(
        frame,
        fc.array(fc.tuple(fc.nat(), u8), { maxLength: 6 }),
        fc.integer({ min: -20, max: 20 }),
        (sent, changes, growth) => {
          const encoded = encodeFrame(sent);
          const changed = new Uint8Array(Math.max(0, encoded.length + growth));
          changed.set(encoded.subarray(0, changed.length));
          for (const [position, value] of changes) if (changed.length > 0) changed[position % changed.length] = value;
          const result = tryDecode(resealed(changed));
          expect(result instanceof FrameError ? result : decodeFrame(encodeFrame(result))).toEqual(result);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('refuse a tensor whose shape lies about its data', () => {
    const encoded = encodeFrame({
      sequence: 1,
      request: 1,
      deadlineMs: 9,
      message: { type: 'infer', modelHashPrefix: new Uint8Array(4), tensor: quantizeUnit([0, 1], [1, 2]) },
    });
    // Rank and kind, zero point, scale, then the two dimensions of 16 bits.
    new DataView(encoded.buffer).setUint16(12 + 4 + 8 + 2, 60_000, true);
    expect(tryDecode(resealed(encoded))).toMatchObject({ code: 'bad_payload' });
  });

  it('refuse a sequence number that was seen before, or that leaves one out', () => {
    expect(takeSequence(0, 1)).toBe(1);
    for (const wrong of [0, 4, 5, 7, 0xffffffff]) expect(() => takeSequence(5, wrong)).toThrow(FrameError);
    expect(takeSequence(5, 6)).toBe(6);
  });
});

describe('device tensors', () => {
  it('carry grey bytes without loss', () => {
    const grey = Float32Array.from({ length: 256 }, (_unused, byte) => byte / 255);
    const back = dequantize(quantizeUnit(grey, [256]));
    expect(Array.from(back, (value) => Math.round(value * 255))).toEqual(Array.from({ length: 256 }, (_u, i) => i));
  });
});
