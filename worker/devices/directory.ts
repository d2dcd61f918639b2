/**
 * The front door for devices: who may dial in, and the list of them all. Owns checking a device's key before its hub hears
 * of it; the conversation after that is the hub's.
 */
import { GatewayError } from '../../shared/errors.ts';
import { REQUEST_ID_HEADER } from '../../shared/names.ts';
import { apiKeyFrom, equalInConstantTime, sha256Hex } from '../pipeline/identify.ts';
import type { Devices } from '../ports.ts';
import { admissionOf, poolsOf } from './admission.ts';
import { DEVICE_HEADERS, type DeviceRecord } from './hub-port.ts';
import type { Hubs } from './hubs.ts';

/** A digest that no key has: an unknown device costs as much time as a known one. */
const NOBODY = '0'.repeat(64);

export function createDevices(hubs: Hubs | undefined): Devices {
  return {
    async connect(request, deviceId, requestId, config) {
      const key = apiKeyFrom(request.headers);
      if (key === undefined) throw new GatewayError('unauthorized', 'Send the device key: authorization: Bearer KEY.');
      const device = config.devices?.find(({ id }) => id === deviceId);
      const isKey = equalInConstantTime(await sha256Hex(key), device?.sha256 ?? NOBODY);
      if (device === undefined || !isKey || !device.enabled) {
        throw new GatewayError('unauthorized', 'This device, or its key, is not known.');
      }
      if (hubs === undefined) throw new GatewayError('not_configured', NO_BINDING);
      if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
        throw new GatewayError('invalid_request', 'Devices connect by WebSocket: send upgrade: websocket.');
      }
      const pool = poolsOf(config).find((candidate) => candidate.pool === device.pool);
      if (pool === undefined) throw new GatewayError('not_configured', `No target takes the pool ${device.pool}.`);
      const { id, tenant } = device;
      const headers = {
        upgrade: 'websocket',
        [REQUEST_ID_HEADER]: requestId,
        [DEVICE_HEADERS.id]: id,
        [DEVICE_HEADERS.pool]: pool.pool,
        [DEVICE_HEADERS.tenant]: tenant,
        [DEVICE_HEADERS.admission]: admissionOf(config, id) ?? '',
      };
      return hubs.hubOf(pool.pool, pool.shards, id).fetch('https://hub/connect', { headers }).catch(away);
    },

    async list(config) {
      const known = new Map<string, DeviceRecord>();
      if (hubs !== undefined) {
        const lists = poolsOf(config).flatMap(({ pool, shards }) =>
          Array.from({ length: shards }, (_unused, shard) => hubs.hub(pool, shard).list()),
        );
        for (const record of (await Promise.all(lists).catch(away)).flat()) {
          const other = known.get(record.deviceId);
          if (other === undefined || record.connected || record.lastSeenMs > other.lastSeenMs) {
            known.set(record.deviceId, record);
          }
        }
      }
      return (config.devices ?? []).map(({ id, pool, enabled }) => describe(id, pool, enabled, known.get(id)));
    },
  };
}

export const NO_BINDING = 'this deployment has no Durable Object for devices (the binding DEVICES)';

/** An object that moves or is reset is there again in a moment. */
function away(cause: unknown): never {
  throw new GatewayError('target_unavailable', 'A hub of the devices cannot be reached.', {
    cause,
    retryAfterMs: 1_000,
  });
}

function describe(
  id: string,
  pool: string,
  enabled: boolean,
  record: DeviceRecord | undefined,
): Record<string, unknown> {
  if (record === undefined) return { id, pool, enabled, connected: false, last_seen: null };
  return {
    id,
    pool,
    enabled,
    connected: record.connected,
    last_seen: new Date(record.lastSeenMs).toISOString(),
    firmware: record.firmware,
    model: record.modelName === '' ? null : { name: record.modelName, sha256: record.modelSha256 },
    memory: { model_slot_bytes: record.slotBytes, ram_bytes: record.ramBytes },
    accept_confidence: record.threshold,
    in_flight: record.inFlight,
    load:
      record.load === null
        ? null
        : {
            queued: record.load.queued,
            busy_percent: record.load.busyPercent,
            free_ram_bytes: record.load.freeRamBytes,
            uptime_s: record.load.uptimeS,
            answered: record.load.answered,
            asked: record.load.asked,
          },
  };
}
