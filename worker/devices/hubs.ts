/**
 * Where a pool's devices are: one hub a shard, each a Durable Object with a name of its own. Owns names and which device
 * belongs to which; leaves out what is said to a hub.
 */
import type { DeviceHubPort, DeviceNamespace } from './hub-port.ts';

export type Hubs = {
  hub(pool: string, shard: number): DeviceHubPort;
  hubOf(pool: string, shards: number, deviceId: string): DeviceHubPort;
};

export function createHubs(namespace: DeviceNamespace): Hubs {
  const hub = (pool: string, shard: number): DeviceHubPort => namespace.get(namespace.idFromName(`${pool}/${shard}`));
  return { hub, hubOf: (pool, shards, deviceId) => hub(pool, fnv1a(deviceId) % shards) };
}

/** FNV-1a, 32 bits: the same device goes to the same hub for as long as the number of shards stays. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
