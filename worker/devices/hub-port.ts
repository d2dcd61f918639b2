/**
 * What a hub of devices offers to the rest of the worker, over Durable Object RPC. Owns types only: plain data that can be
 * cloned from one isolate to another.
 */
import type { FailureReason } from '../../shared/decide/plan-types.ts';

export type HubCall = {
  /** Names the call, so that it can be called off. */
  readonly id: string;
  readonly pool: string;
  /** `model/variant`. */
  readonly model: string;
  /** Numbers are quantized as the devices' model wants them; a text goes as it is. */
  readonly inputs: readonly (Float32Array | string)[];
  readonly timeoutMs: number;
};

export type HubItem = { readonly probabilities: Float32Array; readonly computeMs: number };

export type HubAnswer =
  | { readonly kind: 'answered'; readonly items: readonly HubItem[] }
  | {
      readonly kind: 'failed';
      readonly reason: FailureReason;
      readonly detail: string;
      readonly retryAfterMs?: number;
      /** No device of the pool is, or was a moment ago, connected here: another shard may have one. */
      readonly nobody?: boolean;
    };

export type DeviceLoad = {
  readonly queued: number;
  readonly busyPercent: number;
  readonly freeRamBytes: number;
  readonly uptimeS: number;
  readonly answered: number;
  readonly asked: number;
};

export type DeviceRecord = {
  readonly deviceId: string;
  readonly pool: string;
  readonly connected: boolean;
  readonly firmware: string;
  /** Empty where it holds no model. */
  readonly modelName: string;
  readonly modelSha256: string;
  readonly slotBytes: number;
  readonly ramBytes: number;
  readonly load: DeviceLoad | null;
  readonly inFlight: number;
  readonly threshold: number;
  readonly lastSeenMs: number;
};

export type DeviceHubPort = {
  /** The upgrade to a WebSocket, for a device whose key has been checked. */
  fetch(url: string, init: { headers: Record<string, string> }): Promise<Response>;
  infer(call: HubCall): Promise<HubAnswer>;
  cancel(callId: string): Promise<void>;
  list(): Promise<readonly DeviceRecord[]>;
};

/** The part of a Durable Object namespace that is used. */
export type DeviceNamespace = {
  idFromName(name: string): unknown;
  get(id: unknown): DeviceHubPort;
};

/** Set by the worker, read by the hub: nobody else can reach it. */
export const DEVICE_HEADERS = {
  id: 'x-device-id',
  pool: 'x-device-pool',
  tenant: 'x-device-tenant',
  admission: 'x-device-admission',
} as const;
