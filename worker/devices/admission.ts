/**
 * What lets a device in and which hub it belongs to, as one text: a hub that finds another one in force lets the device go,
 * which dials again and is turned away or meets its new hub.
 */
import type { Config, TargetSpec } from '../../shared/schema/config.ts';
import type { Services } from '../pipeline/services.ts';
import type { HubOptions } from './hub.ts';

type Pool = Extract<TargetSpec['endpoint'], { kind: 'mcu' }>;

export function poolsOf(config: Config): readonly Pool[] {
  return config.targets.flatMap(({ endpoint }) => (endpoint.kind === 'mcu' ? [endpoint] : []));
}

/** Undefined where it is not let in at all. */
export function admissionOf(config: Config, deviceId: string): string | undefined {
  const device = config.devices?.find(({ id }) => id === deviceId);
  const pool = poolsOf(config).find((candidate) => candidate.pool === device?.pool);
  if (device === undefined || !device.enabled || pool === undefined) return undefined;
  return [device.sha256, device.tenant, pool.pool, pool.shards].join(' ');
}

/** What lets a device in now. Before the stored configuration is known, nobody is sent away for not being in the embedded one. */
export function admitting(services: Services, keepAlive: (work: Promise<unknown>) => void): HubOptions['admission'] {
  return async (deviceId, held) => {
    const { config, source } = await services.config.ready(keepAlive);
    return source === 'embedded' ? held : admissionOf(config, deviceId);
  };
}
