/**
 * Where a pool's devices are: one hub a shard, each a Durable Object with a name of its own. Owns names and which device
 * belongs to which; leaves out what is said to a hub.
 */
import { fnv1a } from '../../shared/hash/fnv1a.ts';
import type { DeviceHubPort, DeviceNamespace } from './hub-port.ts';

export type Hubs = {
  hub(pool: string, shard: number): DeviceHubPort;
  hubOf(pool: string, shards: number, deviceId: string): DeviceHubPort;
};

export function createHubs(namespace: DeviceNamespace): Hubs {
  const hub = (pool: string, shard: number): DeviceHubPort => namespace.get(namespace.idFromName(`${pool}/${shard}`));
  // The same device goes to the same hub for as long as the number of shards stays.
  return { hub, hubOf: (pool, shards, deviceId) => hub(pool, fnv1a(deviceId) % shards) };
}
