/** Hubs with devices that answer as sample-call.ts says, behind the port that the mcu target knows. */
import type { DeviceFrame } from '../../shared/device/frame.ts';
import type { DeviceModel } from '../../worker/devices/model-update.ts';
import { Hub } from '../../worker/devices/hub.ts';
import type { DeviceHubPort } from '../../worker/devices/hub-port.ts';
import type { Hubs } from '../../worker/devices/hubs.ts';
import type { Behaviour } from '../contract/target-contract.ts';
import { HubDevice } from './hub-device.ts';
import { predictImage, predictText } from './sample-call.ts';

export const NO_PLATFORM = {
  now: () => Date.now(),
  randomBytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
  admission: async (_deviceId: string, held: string): Promise<string | undefined> => held,
  answer: async () => undefined,
  keep: () => undefined,
  lastToken: async () => undefined,
  warn: () => undefined,
};

const LABELS: Readonly<Record<string, readonly string[]>> = {
  'mood/micro': ['yes', 'no', 'oos'],
  'dots/micro': ['dark', 'light'],
};

/** Of a device model only what a hub reads of it: the input's shape, scale and zero point. */
export function modelNamed(name: string, sha256 = 'ab'.repeat(32)): DeviceModel {
  const bytes = new Uint8Array(4_000);
  const view = new DataView(bytes.buffer);
  [2, 3, 1].forEach((length, index) => view.setUint16(16 + 2 * index, length, true));
  view.setFloat32(24, 1 / 255, true);
  view.setInt16(28, -128, true);
  return { name, bytes, sha256 };
}

export async function poolOf(behaviour: Behaviour): Promise<Hubs> {
  const hubs = new Map<string, Hub>();
  for (const [name, labels] of Object.entries(LABELS)) {
    const model = modelNamed(name);
    const hub = new Hub({ ...NO_PLATFORM, pool: async () => ({ threshold: 0.9, model }) });
    hubs.set(name, hub);
    for (const id of ['one', 'two', 'three']) {
      const options = { id, modelName: name, modelSha256: model.sha256, window: 2, nowMs: Date.now() };
      await HubDevice.greeted(hub, options, (device) => {
        device.onFrame = (frame) => void react(device, frame, behaviour, labels);
      });
    }
  }
  const port: DeviceHubPort = {
    fetch: () => Promise.reject(new Error('nobody dials here')),
    infer: (call) => hubs.get(call.model)?.infer(call) ?? Promise.reject(new Error('no such model')),
    cancel: async (id) => hubs.forEach((hub) => hub.cancel(id)),
    list: async () => [...hubs.values()].flatMap((hub) => hub.list()),
  };
  return { hub: () => port, hubOf: () => port };
}

async function react(
  device: HubDevice,
  frame: DeviceFrame,
  behaviour: Behaviour,
  labels: readonly string[],
): Promise<void> {
  const { message, request } = frame;
  if (message.type !== 'infer' || behaviour === 'hangs') return;
  if (behaviour === 'breaks') return device.say({ type: 'error', code: 'internal', text: 'secret: broken' }, request);
  const { data, scale, zeroPoint } = message.tensor;
  const { label, confidence } =
    data instanceof Uint8Array
      ? predictText(new TextDecoder().decode(data))
      : predictImage(Array.from(data, (value) => scale * (value - zeroPoint)));
  const probabilities = Int16Array.from(labels, (name) => (name === label ? Math.round(confidence * 32_768) : 0));
  const tensor = { scale: 1 / 32_768, zeroPoint: 0, shape: [labels.length], data: probabilities };
  await device.say({ type: 'result', computeUs: 1_500, tensor }, request);
}
