/**
 * Devices for this machine: ids and keys made anew at each start, and the configuration that lets them in. Owns what a pool
 * looks like in a configuration; leaves out running the devices.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Config, TargetSpec } from '../../shared/schema/config.ts';

export type LocalDevice = { readonly id: string; readonly key: string };

export const LOCAL_POOL = 'simulated';
const MCU_TARGET = 'mcu';
/** Whose cache and budgets a device's questions use. */
const TENANT = 'devices';

export function makeDevices(count: number): readonly LocalDevice[] {
  return Array.from({ length: count }, (_unused, index) => ({
    id: `device-${index + 1}`,
    key: randomBytes(24).toString('base64url'),
  }));
}

/** Adds the pool as a target, and its devices. A device costs its owner nothing more for being asked. */
export function withDevices(config: Config, devices: readonly LocalDevice[]): Config {
  const target: TargetSpec = {
    id: MCU_TARGET,
    region: 'local',
    enabled: true,
    endpoint: { kind: 'mcu', pool: LOCAL_POOL, shards: 1 },
    serves: [{ model: 'digits', variant: 'micro', latency_prior: { p50_ms: 20, p95_ms: 60 }, compute_prior_ms: 5 }],
    price: { kind: 'flat', usd_per_request: 0 },
    timeout_ms: 2_000,
    max_batch: 16,
    max_payload_bytes: 65_536,
    max_concurrency: 1_000,
    // A pool that was empty is full again as soon as its devices have dialled.
    cold_start: { p50_ms: 200, p95_ms: 2_000, idle_ms: 86_400_000, probability: 0 },
  };
  return {
    ...config,
    targets: [...config.targets, target],
    devices: devices.map(({ id, key }) => ({
      id,
      pool: LOCAL_POOL,
      sha256: createHash('sha256').update(key).digest('hex'),
      tenant: TENANT,
      enabled: true,
    })),
  };
}

/** Images of digits go to the devices first, whatever else could answer. */
export function preferDevices(config: Config): Config {
  const routes = config.routes.map((route) =>
    route.model === 'digits' ? { ...route, prefer: ['mcu' as const] } : route,
  );
  return { ...config, routes };
}
