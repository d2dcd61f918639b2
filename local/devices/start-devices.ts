/**
 * Brings devices up: the C client in one process of its own where there is a compiler, devices in TypeScript otherwise.
 * Both say what happens in the same lines.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { REPOSITORY_ROOT } from '../bundle-worker.ts';
import { deferred } from '../lib/deferred.ts';
import { compileClient } from './compile-client.ts';
import type { DeviceEvent } from './device-event.ts';
import type { LocalDevice } from './device-pool.ts';
import { SimulatedDevice } from './simulated-device.ts';

export type DeviceOptions = {
  readonly url: string;
  readonly devices: readonly LocalDevice[];
  /** `auto`: C where there is a compiler. */
  readonly client: 'auto' | 'c' | 'typescript';
  /** Another program of the Makefile, such as the one with sanitizers. */
  readonly program?: string;
  /** What a device without a model begins with; null: nothing. Default: the shipped one. */
  readonly modelFile?: string | null;
  /** Where flash is kept over a restart; default: nowhere. C only. */
  readonly flashFolder?: string;
  /** Grey images that every device looks at, asking about those it is unsure of. */
  readonly images?: Uint8Array;
  readonly onEvent?: (event: DeviceEvent) => void;
};

export type Devices = {
  readonly client: 'c' | 'typescript';
  /** Says why, where it is not the C client. */
  readonly note: string;
  close(): Promise<void>;
  /** As when power fails. */
  kill(): Promise<void>;
};

export const DEVICE_MODEL_FILE = join(REPOSITORY_ROOT, 'models/digits/device.hymc');

export async function startDevices(options: DeviceOptions): Promise<Devices> {
  if (options.client === 'typescript') return startSimulated(options, 'devices in TypeScript');
  const compiled = compileClient(options.program ?? 'hybrid-device');
  if (compiled.kind === 'compiled') return startCompiled(compiled.file, options);
  if (options.client === 'c') throw new Error(compiled.why);
  return startSimulated(options, `devices in TypeScript: ${compiled.why}`);
}

const CONNECT_WITHIN_MS = 5_000;

/** As above, and waits until all have been welcomed, for a few seconds at most: they go on dialling by themselves. */
export async function startConnectedDevices(options: DeviceOptions): Promise<Devices> {
  const { promise, resolve } = deferred<void>();
  const missing = new Set(options.devices.map(({ id }) => id));
  const started = await startDevices({
    ...options,
    onEvent: (event) => {
      options.onEvent?.(event);
      if (missing.delete(event.device) && missing.size === 0) resolve();
    },
  });
  const timer = setTimeout(resolve, CONNECT_WITHIN_MS);
  await promise;
  clearTimeout(timer);
  return started;
}

async function startCompiled(file: string, options: DeviceOptions): Promise<Devices> {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-devices-'));
  const list = join(folder, 'devices');
  await writeFile(list, options.devices.map(({ id, key }) => `${id} ${key}\n`).join(''), { mode: 0o600 });
  const { hostname, port } = new URL(options.url);
  const args = [hostname, port, list, '--tether', 'stdin'];
  const modelFile = options.modelFile === undefined ? DEVICE_MODEL_FILE : options.modelFile;
  if (modelFile !== null) args.push('--model', modelFile);
  if (options.flashFolder !== undefined) args.push('--flash', options.flashFolder);
  if (options.images !== undefined) {
    const images = join(folder, 'images');
    await writeFile(images, options.images);
    args.push('--ask', images);
  }
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout }).on('line', (line) => options.onEvent?.(parseEvent(line)));
  const exited = once(child, 'close');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return { client: 'c', note: 'devices running the C client', close: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

function parseEvent(line: string): DeviceEvent {
  const event: DeviceEvent = JSON.parse(line);
  return event;
}

async function startSimulated(options: DeviceOptions, note: string): Promise<Devices> {
  const modelFile = options.modelFile === undefined ? DEVICE_MODEL_FILE : options.modelFile;
  const model = modelFile === null ? undefined : new Uint8Array(await readFile(modelFile));
  const devices = options.devices.map(
    (device) =>
      new SimulatedDevice({
        url: options.url,
        ...device,
        model,
        images: options.images,
        onEvent: options.onEvent ?? (() => undefined),
      }),
  );
  const close = async (): Promise<void> => {
    for (const device of devices) device.close();
  };
  return { client: 'typescript', note, close, kill: close };
}
