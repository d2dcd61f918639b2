/** A stack with a pool of devices behind a network that can be cut: what the device tests and the device benchmark share. */
import { makeDevices, withDevices, type LocalDevice } from '../../local/devices/device-pool.ts';
import type { DeviceEvent } from '../../local/devices/device-event.ts';
import { startDevices, type DeviceOptions, type Devices } from '../../local/devices/start-devices.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import type { Config } from '../../shared/schema/config.ts';
import { startCuttingProxy, type CuttingProxy } from '../fakes/cutting-proxy.ts';

export type DeviceStage = {
  readonly stack: Stack;
  readonly proxy: CuttingProxy;
  readonly pool: readonly LocalDevice[];
  readonly events: EventLog;
  /** Devices of the pool over the network that can be cut. */
  start(devices: readonly LocalDevice[], options?: Partial<DeviceOptions>): Promise<Devices>;
  close(): Promise<void>;
};

class EventLog {
  readonly #listeners: ((event: DeviceEvent) => void)[] = [];
  readonly all: DeviceEvent[] = [];

  add(listener: (event: DeviceEvent) => void): void {
    this.#listeners.push(listener);
  }

  push(event: DeviceEvent): void {
    this.all.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  of(device: string, event: string): readonly DeviceEvent[] {
    return this.all.filter((it) => it.device === device && it.event === event);
  }
}

/** No place but the devices answers with the small model. */
function devicesOnly(config: Config): Config {
  const targets = config.targets.map((target) =>
    target.endpoint.kind === 'edge'
      ? { ...target, serves: target.serves.filter(({ model }) => model !== 'digits') }
      : target,
  );
  return { ...config, targets };
}

export async function openDeviceStage(count: number, client: DeviceOptions['client']): Promise<DeviceStage> {
  const pool = makeDevices(count);
  const stack = await startStack({ port: 0, configure: (config) => devicesOnly(withDevices(config, pool)) });
  const proxy = await startCuttingProxy(stack.url);
  const events = new EventLog();
  const running: Devices[] = [];
  return {
    stack,
    proxy,
    pool,
    events,
    async start(devices, options = {}) {
      const started = await startDevices({
        url: proxy.url,
        devices,
        client,
        onEvent: (event) => events.push(event),
        ...options,
      });
      running.push(started);
      return started;
    },
    async close() {
      await Promise.all(running.map((devices) => devices.close()));
      await proxy.close();
      await stack.close();
    },
  };
}
