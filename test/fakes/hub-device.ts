/**
 * A device as a hub sees it, in the same process: real frames over a socket that is two functions. What it does with a
 * request is up to the test; what it was sent is kept.
 */
import { decodeFrame, encodeFrame, type DeviceFrame } from '../../shared/device/frame.ts';
import type { DeviceMessage } from '../../shared/device/messages.ts';
import { bytesFromHex } from '../../worker/devices/dispatcher.ts';
import type { Hub } from '../../worker/devices/hub.ts';
import { newSessionState, type DeviceSocket, type SessionState } from '../../worker/devices/session.ts';

export type HubDeviceOptions = {
  readonly id: string;
  readonly pool?: string;
  readonly window?: number;
  readonly maxFrameBytes?: number;
  readonly modelName?: string;
  /** Hex; empty: none. */
  readonly modelSha256?: string;
  readonly token?: Uint8Array;
  readonly nowMs?: number;
};

const NOTHING = new Uint8Array(32);

export class HubDevice {
  readonly #hub: Hub;
  readonly #options: HubDeviceOptions;
  readonly socket: DeviceSocket;
  readonly received: DeviceFrame[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  saved: SessionState | undefined;
  heartbeatAtMs: number | null = null;
  /** Called with every frame of the hub. */
  onFrame: (frame: DeviceFrame) => void = () => undefined;
  #sequence = 0;

  constructor(hub: Hub, options: HubDeviceOptions) {
    this.#hub = hub;
    this.#options = options;
    this.socket = {
      send: (bytes) => {
        if (this.closed !== undefined) throw new Error('the socket is closed');
        const frame = decodeFrame(bytes);
        this.received.push(frame);
        // As over a network: never before the hub's own step has ended.
        queueMicrotask(() => this.onFrame(frame));
      },
      close: (code, reason) => {
        this.closed ??= { code, reason };
      },
      save: (state) => {
        this.saved = structuredClone(state);
      },
      heartbeatAtMs: () => this.heartbeatAtMs,
    };
    const { id, pool = 'devices', nowMs = 0 } = options;
    hub.opened(this.socket, newSessionState({ id, pool, tenant: 'factory', admission: 'as dialled' }, nowMs));
  }

  /** Dials and says hello. */
  static async greeted(
    hub: Hub,
    options: HubDeviceOptions,
    prepare: (device: HubDevice) => void = () => undefined,
  ): Promise<HubDevice> {
    const device = new HubDevice(hub, options);
    prepare(device);
    await device.hello();
    return device;
  }

  hello(change: Partial<Extract<DeviceMessage, { type: 'hello' }>> = {}): Promise<void> {
    const { id, window = 1, maxFrameBytes = 1_200, modelName = '', modelSha256 = '' } = this.#options;
    const { token = new Uint8Array(16) } = this.#options;
    return this.say({
      type: 'hello',
      deviceId: id,
      firmware: 'test 1',
      modelName,
      modelHash: modelSha256 === '' ? NOTHING : bytesFromHex(modelSha256),
      window,
      maxFrameBytes,
      slotBytes: 65_536,
      ramBytes: 32_768,
      token,
      ...change,
    });
  }

  say(message: DeviceMessage, request = 0, deadlineMs = 0): Promise<void> {
    this.#sequence += 1;
    return this.send(encodeFrame({ sequence: this.#sequence, request, deadlineMs, message }));
  }

  /** Bytes as they are. */
  send(bytes: Uint8Array): Promise<void> {
    return this.#hub.received(this.socket, bytes);
  }

  /** Gone without a word, as when a cable is pulled and TCP has noticed. */
  cut(): void {
    this.closed ??= { code: 1_006, reason: 'cut' };
    this.#hub.closed(this.socket);
  }

  messages<Type extends DeviceMessage['type']>(type: Type): Extract<DeviceMessage, { type: Type }>[] {
    return this.received.flatMap(({ message }) => (isOf(message, type) ? [message] : []));
  }
}

function isOf<Type extends DeviceMessage['type']>(
  message: DeviceMessage,
  type: Type,
): message is Extract<DeviceMessage, { type: Type }> {
  return message.type === type;
}
