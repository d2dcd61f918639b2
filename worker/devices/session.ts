/**
 * One device's connection as the hub knows it, and the frames over it. What must outlive hibernation is plain data kept
 * with the socket; what is under way right now (requests sent, not yet answered) keeps the hub awake and is not.
 */
import { encodeFrame, type DeviceFrame } from '../../shared/device/frame.ts';
import type { DeviceErrorCode } from '../../shared/device/frame-error.ts';
import type { DeviceMessage } from '../../shared/device/messages.ts';
import type { DeviceLoad, DeviceRecord } from './hub-port.ts';

export type SessionState = {
  readonly deviceId: string;
  readonly pool: string;
  readonly tenant: string;
  /** What let it in: admission.ts. */
  readonly admission: string;
  greeted: boolean;
  /** Hex. */
  token: string;
  firmware: string;
  modelName: string;
  modelSha256: string;
  /** Of the model offered and not yet taken, or empty. */
  offeredSha256: string;
  slotBytes: number;
  ramBytes: number;
  maxFrameBytes: number;
  window: number;
  sequenceIn: number;
  sequenceOut: number;
  threshold: number;
  load: DeviceLoad | null;
  lastSeenMs: number;
};

/** A WebSocket, or what stands for one in tests. */
export type DeviceSocket = {
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
  /** Keeps the state over hibernation. */
  save(state: SessionState): void;
  /** When a heartbeat was last answered without waking the hub, or null. */
  heartbeatAtMs(): number | null;
};

export function newSessionState(
  device: { id: string; pool: string; tenant: string; admission: string },
  nowMs: number,
): SessionState {
  return {
    deviceId: device.id,
    pool: device.pool,
    tenant: device.tenant,
    admission: device.admission,
    greeted: false,
    token: '',
    firmware: '',
    modelName: '',
    modelSha256: '',
    offeredSha256: '',
    slotBytes: 0,
    ramBytes: 0,
    maxFrameBytes: 0,
    window: 0,
    sequenceIn: 0,
    sequenceOut: 0,
    threshold: 0,
    load: null,
    lastSeenMs: nowMs,
  };
}

export class Session {
  readonly socket: DeviceSocket;
  readonly state: SessionState;
  /** Requests sent and not answered, by number, with the time until which each keeps a place of the window. */
  readonly sent = new Map<number, number>();
  questions = 0;
  /** Counts up over all devices: the one used longest ago goes first among equals. */
  lastUsed = 0;

  constructor(socket: DeviceSocket, state: SessionState) {
    this.socket = socket;
    this.state = state;
  }

  lastSeenMs(): number {
    return Math.max(this.state.lastSeenMs, this.socket.heartbeatAtMs() ?? 0);
  }

  /** Whether the frame could be sent at all: a socket that is closing takes nothing. */
  send(message: DeviceMessage, request = 0, deadlineMs = 0): boolean {
    const frame: DeviceFrame = { sequence: this.state.sequenceOut + 1, request, deadlineMs, message };
    try {
      this.socket.send(encodeFrame(frame));
      // Only what was sent counts: to the device a number left out is a frame that was lost.
      this.state.sequenceOut += 1;
      return true;
    } catch {
      return false;
    }
  }

  refuse(code: DeviceErrorCode, text: string, request = 0): void {
    this.send({ type: 'error', code, text }, request);
  }

  record(connected: boolean): DeviceRecord {
    const { deviceId, pool, firmware, modelName, modelSha256, slotBytes, ramBytes, load, threshold } = this.state;
    return {
      deviceId,
      pool,
      connected,
      firmware,
      modelName,
      modelSha256,
      slotBytes,
      ramBytes,
      load,
      threshold,
      inFlight: connected ? this.sent.size : 0,
      lastSeenMs: this.lastSeenMs(),
    };
  }
}
