/**
 * A device in TypeScript, for machines without a C compiler: the same frames, the same arithmetic, the same way of dialling
 * again as devices/mcu. Owns one device's conversation; its model lives in memory only.
 */
import { createHash, randomInt } from 'node:crypto';
import { decodeFrame, encodeFrame, takeSequence, type DeviceFrame } from '../../shared/device/frame.ts';
import type { DeviceMessage } from '../../shared/device/messages.ts';
import { readImage, sizeOf, type ModelImage } from '../../shared/device/model-image.ts';
import { runImage } from '../../shared/device/run-image.ts';
import type { DeviceTensor } from '../../shared/device/tensor.ts';
import type { DeviceEvent } from './device-event.ts';

export type SimulatedDeviceOptions = {
  readonly url: string;
  readonly id: string;
  readonly key: string;
  readonly model: Uint8Array | undefined;
  readonly images: Uint8Array | undefined;
  readonly onEvent: (event: DeviceEvent) => void;
};

type Held = { readonly image: ModelImage; readonly hash: Uint8Array };
type Update = { readonly hash: Uint8Array; readonly bytes: Uint8Array; received: number; isComplete: boolean };

const LEAST_BACKOFF_MS = 100;
const MOST_BACKOFF_MS = 30_000;
const WINDOW = 2;
const MAX_FRAME_BYTES = 1_216;
const SLOT_BYTES = 65_472;
const FULL_PROBABILITY = 32_767;
const KEPT_RESULTS = 4;

export class SimulatedDevice {
  readonly #options: SimulatedDeviceOptions;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #isClosed = false;
  #backoffMs = LEAST_BACKOFF_MS;
  #sequenceIn = 0;
  #sequenceOut = 0;
  #threshold = 0;
  #token: Uint8Array = new Uint8Array(16);
  #held: Held | undefined;
  #update: Update | undefined;
  /** Results by request, sent again where a connection broke before they arrived. */
  readonly #kept = new Map<number, DeviceMessage>();
  #nextQuestion = 1;
  #open: { readonly request: number; readonly message: DeviceMessage } | undefined;
  #imageAt = 0;

  constructor(options: SimulatedDeviceOptions) {
    this.#options = options;
    if (options.model !== undefined) this.#held = { image: readImage(options.model), hash: sha256(options.model) };
    this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#beat);
    this.#socket?.close();
  }

  #dial(): void {
    const { url, id, key } = this.#options;
    const address = `${url.replace(/^http/, 'ws')}/v1/devices/${id}/connect`;
    // Node's WebSocket takes headers; the types of the browser's do not know.
    const socket: WebSocket = Reflect.construct(WebSocket, [address, { headers: { authorization: `Bearer ${key}` } }]);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#sequenceIn = 0;
    this.#sequenceOut = 0;
    let wasReady = false;
    socket.addEventListener('open', () => this.#hello());
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      if (!(data instanceof ArrayBuffer)) return;
      try {
        const frame = decodeFrame(new Uint8Array(data));
        this.#sequenceIn = takeSequence(this.#sequenceIn, frame.sequence);
        wasReady ||= frame.message.type === 'welcome';
        this.#take(frame);
      } catch {
        socket.close();
      }
    });
    // A refused connection is an error and then closed as well.
    socket.addEventListener('error', () => undefined);
    socket.addEventListener('close', () => {
      clearInterval(this.#beat);
      if (wasReady) this.#report('lost');
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => this.#dial(), this.#backoffMs / 2 + randomInt(this.#backoffMs / 2 + 1));
      this.#backoffMs = Math.min(MOST_BACKOFF_MS, 2 * this.#backoffMs);
    });
  }

  #hello(): void {
    this.#say({
      type: 'hello',
      deviceId: this.#options.id,
      firmware: 'hybrid-device-ts 1.0',
      modelName: this.#held?.image.name ?? '',
      modelHash: this.#held?.hash ?? new Uint8Array(32),
      window: WINDOW,
      maxFrameBytes: MAX_FRAME_BYTES,
      slotBytes: SLOT_BYTES,
      ramBytes: 65_536,
      token: this.#token,
    });
  }

  #take({ message, request }: DeviceFrame): void {
    switch (message.type) {
      case 'welcome':
        this.#token = message.token;
        this.#threshold = message.threshold;
        this.#backoffMs = LEAST_BACKOFF_MS;
        this.#beat = setInterval(() => this.#socket?.send('h'), message.heartbeatS * 1_000);
        this.#report(message.resumed ? 'resumed' : 'welcome');
        this.#say({ type: 'load', queued: 0, busyPercent: 0, freeRamBytes: 65_536, uptimeS: 0, answered: 0, asked: 0 });
        if (this.#open === undefined) this.#lookAtImages();
        else this.#say(this.#open.message, this.#open.request, 10_000);
        return;
      case 'infer':
        return this.#infer(request, message.modelHashPrefix, message.tensor);
      case 'threshold':
        this.#threshold = message.threshold;
        return this.#report('threshold');
      case 'answer':
        return this.#answered(request, 0, message.label, message.confidence);
      case 'error':
        return this.#answered(request, 1, 0, 0);
      case 'model_offer':
        return this.#offered(message);
      case 'model_chunk':
        return this.#chunk(message);
      case 'model_commit':
        return this.#commit(message.modelHash);
      case 'hello':
      case 'result':
      case 'ask':
      case 'load':
      case 'credit':
      case 'model_ack':
        return this.#socket?.close();
    }
  }

  #infer(request: number, prefix: Uint8Array, tensor: DeviceTensor): void {
    const kept = this.#kept.get(request);
    if (kept !== undefined) return this.#say(kept, request);
    if (this.#held === undefined || !startsWith(this.#held.hash, prefix)) {
      return this.#say({ type: 'error', code: 'model_mismatch', text: '' }, request);
    }
    const { image } = this.#held;
    if (!(tensor.data instanceof Int8Array) || tensor.data.length !== sizeOf(image.input)) {
      return this.#say({ type: 'error', code: 'unsupported_input', text: '' }, request);
    }
    const from = performance.now();
    const { probabilities } = runImage(image, tensor.data);
    const data = Int16Array.from(probabilities, (value) => Math.round(value * FULL_PROBABILITY));
    const result: DeviceMessage = {
      type: 'result',
      computeUs: Math.round(1_000 * (performance.now() - from)),
      tensor: { scale: 1 / FULL_PROBABILITY, zeroPoint: 0, shape: [data.length], data },
    };
    this.#kept.set(request, result);
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_RESULTS) break;
      this.#kept.delete(old);
    }
    this.#say(result, request);
  }

  /** The next image: answered here where the device is sure, else asked. */
  #lookAtImages(): void {
    const { images } = this.#options;
    if (images === undefined || this.#held === undefined) return;
    const { image } = this.#held;
    while (this.#open === undefined) {
      const size = sizeOf(image.input);
      if (this.#imageAt + size > images.length) return;
      const input = Int8Array.from(images.subarray(this.#imageAt, this.#imageAt + size), (byte) => byte - 128);
      const { probabilities } = runImage(image, input);
      const confidence = Math.max(...probabilities);
      const label = probabilities.indexOf(confidence);
      this.#imageAt += size;
      if (confidence >= this.#threshold) {
        this.#report('answer', { by: 'device', status: 0, label, confidence });
        continue;
      }
      const { height, width, channels } = image.input;
      const tensor = {
        scale: image.inputScale,
        zeroPoint: image.inputZero,
        shape: [height, width, channels],
        data: input,
      };
      this.#open = { request: this.#nextQuestion, message: { type: 'ask', label, confidence, tensor } };
      this.#nextQuestion += 1;
      this.#say(this.#open.message, this.#open.request, 10_000);
    }
  }

  #answered(request: number, status: number, label: number, confidence: number): void {
    if (this.#open?.request !== request) return;
    this.#open = undefined;
    this.#report('answer', { by: 'gateway', status, label, confidence });
    this.#lookAtImages();
  }

  #offered(offer: Extract<DeviceMessage, { type: 'model_offer' }>): void {
    if (this.#update === undefined || !startsWith(this.#update.hash, offer.modelHash)) {
      if (offer.sizeBytes > SLOT_BYTES) return this.#acknowledge(offer.modelHash, 'refused', 0);
      const bytes = new Uint8Array(offer.sizeBytes);
      this.#update = { hash: offer.modelHash, bytes, received: 0, isComplete: false };
    }
    this.#acknowledge(offer.modelHash, 'wants', this.#update.received);
  }

  #chunk({ offset, bytes }: Extract<DeviceMessage, { type: 'model_chunk' }>): void {
    const update = this.#update;
    if (update === undefined || offset !== update.received || offset + bytes.length > update.bytes.length) return;
    update.bytes.set(bytes, offset);
    update.received += bytes.length;
    if (update.received < update.bytes.length) return this.#acknowledge(update.hash, 'wants', update.received);
    update.isComplete = startsWith(sha256(update.bytes), update.hash);
    if (!update.isComplete) this.#update = undefined;
    this.#acknowledge(update.hash, update.isComplete ? 'complete' : 'corrupt', update.received);
  }

  #commit(hash: Uint8Array): void {
    const update = this.#update;
    if (update?.isComplete !== true || !startsWith(update.hash, hash)) return;
    this.#update = undefined;
    try {
      this.#held = { image: readImage(update.bytes), hash: update.hash };
    } catch {
      return this.#acknowledge(hash, 'refused', 0);
    }
    this.#kept.clear();
    this.#acknowledge(hash, 'committed', update.received);
    this.#report('model');
    this.#lookAtImages();
  }

  #acknowledge(
    hash: Uint8Array,
    state: 'wants' | 'complete' | 'committed' | 'refused' | 'corrupt',
    nextOffset: number,
  ): void {
    this.#say({ type: 'model_ack', modelHashPrefix: hash.slice(0, 4), state, nextOffset });
  }

  #say(message: DeviceMessage, request = 0, deadlineMs = 0): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#sequenceOut += 1;
    this.#socket.send(encodeFrame({ sequence: this.#sequenceOut, request, deadlineMs, message }));
  }

  #report(event: string, more: Partial<DeviceEvent> = {}): void {
    const model = this.#held === undefined ? '' : Buffer.from(this.#held.hash.subarray(0, 4)).toString('hex');
    const at = { threshold: this.#threshold, model, at_ms: Math.round(performance.now()) };
    this.#options.onEvent({ device: this.#options.id, event, ...at, ...more });
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

/** Of two hashes, one may be its beginning only. */
function startsWith(whole: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => whole[index] === byte);
}
