/**
 * What a device and the hub say to each other. Owns the payload of every message, both ways, as devices/PROTOCOL.md has it
 * byte by byte; the envelope around it (sequence, deadline, checksum) is frame.ts.
 */
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { deviceErrorOf, FrameError, numberOfDeviceError, type DeviceErrorCode } from './frame-error.ts';
import { readTensor, writeTensor, type DeviceTensor } from './tensor.ts';

export const TOKEN_BYTES = 16;
const HASH_BYTES = 32;
/** Enough of a model's hash to notice that it is another one; the whole is checked when a model is switched. */
export const HASH_PREFIX_BYTES = 4;

/** How far a device has come with a model that it was offered. */
export const MODEL_ACK_STATES = ['wants', 'complete', 'committed', 'refused', 'corrupt'] as const;
type ModelAckState = (typeof MODEL_ACK_STATES)[number];

export type DeviceMessage =
  | {
      readonly type: 'hello';
      readonly deviceId: string;
      readonly firmware: string;
      /** Empty where it holds no model. */
      readonly modelName: string;
      readonly modelHash: Uint8Array;
      /** Requests it takes at once. */
      readonly window: number;
      readonly maxFrameBytes: number;
      /** The largest model it can store. */
      readonly slotBytes: number;
      readonly ramBytes: number;
      /** Of the connection before, or zeros. */
      readonly token: Uint8Array;
    }
  | {
      readonly type: 'welcome';
      readonly resumed: boolean;
      /** Questions the device may have open at once. */
      readonly window: number;
      readonly heartbeatS: number;
      readonly threshold: number;
      readonly token: Uint8Array;
    }
  | { readonly type: 'infer'; readonly modelHashPrefix: Uint8Array; readonly tensor: DeviceTensor }
  | { readonly type: 'result'; readonly computeUs: number; readonly tensor: DeviceTensor }
  | { readonly type: 'ask'; readonly label: number; readonly confidence: number; readonly tensor: DeviceTensor }
  | { readonly type: 'answer'; readonly label: number; readonly confidence: number }
  | {
      readonly type: 'load';
      readonly queued: number;
      readonly busyPercent: number;
      readonly freeRamBytes: number;
      readonly uptimeS: number;
      readonly answered: number;
      readonly asked: number;
    }
  | { readonly type: 'credit'; readonly window: number }
  | { readonly type: 'threshold'; readonly threshold: number }
  | {
      readonly type: 'model_offer';
      readonly modelHash: Uint8Array;
      readonly sizeBytes: number;
      readonly chunkBytes: number;
      readonly modelName: string;
    }
  | {
      readonly type: 'model_chunk';
      readonly modelHashPrefix: Uint8Array;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: 'model_ack';
      readonly modelHashPrefix: Uint8Array;
      readonly state: ModelAckState;
      /** First byte that it does not have yet. */
      readonly nextOffset: number;
    }
  | { readonly type: 'model_commit'; readonly modelHash: Uint8Array }
  | { readonly type: 'error'; readonly code: DeviceErrorCode; readonly text: string };

export type MessageType = DeviceMessage['type'];

/** Position + 1 is the number on the wire. */
const TYPES = [
  'hello',
  'welcome',
  'infer',
  'result',
  'ask',
  'answer',
  'load',
  'credit',
  'threshold',
  'model_offer',
  'model_chunk',
  'model_ack',
  'model_commit',
  'error',
] as const satisfies readonly MessageType[];

const ID_LENGTH = 64;
const FIRMWARE_LENGTH = 32;
const TEXT_LENGTH = 100;
const FULL_CONFIDENCE = 65_535;

export function numberOfType(type: MessageType): number {
  return TYPES.indexOf(type) + 1;
}

/** @throws RangeError where a value does not fit its field */
export function encodePayload(message: DeviceMessage): Uint8Array {
  const writer = new ByteWriter();
  switch (message.type) {
    case 'hello':
      writer.u8(message.window).u16(message.maxFrameBytes).u32(message.slotBytes).u32(message.ramBytes);
      writer.bytes(sized(message.token, TOKEN_BYTES)).bytes(sized(message.modelHash, HASH_BYTES));
      writer
        .text(message.firmware, FIRMWARE_LENGTH)
        .text(message.deviceId, ID_LENGTH)
        .text(message.modelName, ID_LENGTH);
      break;
    case 'welcome':
      writer
        .u8(message.resumed ? 1 : 0)
        .u8(message.window)
        .u16(message.heartbeatS)
        .f32(message.threshold);
      writer.bytes(sized(message.token, TOKEN_BYTES));
      break;
    case 'infer':
      writer.bytes(sized(message.modelHashPrefix, HASH_PREFIX_BYTES));
      writeTensor(writer, message.tensor);
      break;
    case 'result':
      writer.u32(message.computeUs);
      writeTensor(writer, message.tensor);
      break;
    case 'ask':
      writer.u16(message.label).u16(toShare(message.confidence));
      writeTensor(writer, message.tensor);
      break;
    case 'answer':
      writer.u16(message.label).u16(toShare(message.confidence));
      break;
    case 'load':
      writer.u8(message.queued).u8(message.busyPercent).u32(message.freeRamBytes);
      writer.u32(message.uptimeS).u32(message.answered).u32(message.asked);
      break;
    case 'credit':
      writer.u8(message.window);
      break;
    case 'threshold':
      writer.f32(message.threshold);
      break;
    case 'model_offer':
      writer.bytes(sized(message.modelHash, HASH_BYTES)).u32(message.sizeBytes).u16(message.chunkBytes);
      writer.text(message.modelName, ID_LENGTH);
      break;
    case 'model_chunk':
      writer.bytes(sized(message.modelHashPrefix, HASH_PREFIX_BYTES)).u32(message.offset).bytes(message.bytes);
      break;
    case 'model_ack':
      writer.bytes(sized(message.modelHashPrefix, HASH_PREFIX_BYTES));
      writer.u8(MODEL_ACK_STATES.indexOf(message.state)).u32(message.nextOffset);
      break;
    case 'model_commit':
      writer.bytes(sized(message.modelHash, HASH_BYTES));
      break;
    case 'error':
      writer.u16(numberOfDeviceError(message.code)).text(message.text.slice(0, TEXT_LENGTH), TEXT_LENGTH);
      break;
  }
  return writer.done();
}

/** @throws FrameError and nothing else, whatever the bytes are */
export function decodePayload(typeNumber: number, payload: Uint8Array): DeviceMessage {
  const type = TYPES[typeNumber - 1];
  if (type === undefined) throw new FrameError('unknown_type', `message type ${typeNumber}`);
  const reader = new ByteReader(payload);
  const message = READERS[type](reader);
  reader.end();
  return message;
}

const READERS: Readonly<Record<MessageType, (reader: ByteReader) => DeviceMessage>> = {
  hello: (reader) => ({
    type: 'hello',
    window: reader.u8(),
    maxFrameBytes: reader.u16(),
    slotBytes: reader.u32(),
    ramBytes: reader.u32(),
    token: reader.bytes(TOKEN_BYTES),
    modelHash: reader.bytes(HASH_BYTES),
    firmware: reader.text(FIRMWARE_LENGTH),
    deviceId: reader.text(ID_LENGTH),
    modelName: reader.text(ID_LENGTH),
  }),
  welcome: (reader) => ({
    type: 'welcome',
    resumed: flag(reader.u8()),
    window: reader.u8(),
    heartbeatS: reader.u16(),
    threshold: reader.f32(),
    token: reader.bytes(TOKEN_BYTES),
  }),
  infer: (reader) => ({
    type: 'infer',
    modelHashPrefix: reader.bytes(HASH_PREFIX_BYTES),
    tensor: readTensor(reader),
  }),
  result: (reader) => ({ type: 'result', computeUs: reader.u32(), tensor: readTensor(reader) }),
  ask: (reader) => ({
    type: 'ask',
    label: reader.u16(),
    confidence: reader.u16() / FULL_CONFIDENCE,
    tensor: readTensor(reader),
  }),
  answer: (reader) => ({ type: 'answer', label: reader.u16(), confidence: reader.u16() / FULL_CONFIDENCE }),
  load: (reader) => ({
    type: 'load',
    queued: reader.u8(),
    busyPercent: atMost(reader.u8(), 100),
    freeRamBytes: reader.u32(),
    uptimeS: reader.u32(),
    answered: reader.u32(),
    asked: reader.u32(),
  }),
  credit: (reader) => ({ type: 'credit', window: reader.u8() }),
  threshold: (reader) => ({ type: 'threshold', threshold: reader.f32() }),
  model_offer: (reader) => ({
    type: 'model_offer',
    modelHash: reader.bytes(HASH_BYTES),
    sizeBytes: reader.u32(),
    chunkBytes: reader.u16(),
    modelName: reader.text(ID_LENGTH),
  }),
  model_chunk: (reader) => ({
    type: 'model_chunk',
    modelHashPrefix: reader.bytes(HASH_PREFIX_BYTES),
    offset: reader.u32(),
    bytes: reader.rest(),
  }),
  model_ack: (reader) => ({
    type: 'model_ack',
    modelHashPrefix: reader.bytes(HASH_PREFIX_BYTES),
    state: ackState(reader.u8()),
    nextOffset: reader.u32(),
  }),
  model_commit: (reader) => ({ type: 'model_commit', modelHash: reader.bytes(HASH_BYTES) }),
  error: (reader) => ({ type: 'error', code: deviceErrorOf(reader.u16()), text: reader.text(TEXT_LENGTH) }),
};

function ackState(value: number): ModelAckState {
  const state = MODEL_ACK_STATES[value];
  if (state === undefined) throw new FrameError('bad_payload', `acknowledgement ${value}`);
  return state;
}

function flag(value: number): boolean {
  return atMost(value, 1) === 1;
}

function atMost(value: number, most: number): number {
  if (value > most) throw new FrameError('bad_payload', `${value} where ${most} is the most`);
  return value;
}

function toShare(confidence: number): number {
  return Math.round(Math.min(1, Math.max(0, confidence)) * FULL_CONFIDENCE);
}

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes where the field has ${length}`);
  return bytes;
}
