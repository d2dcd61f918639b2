/**
 * The device models bundled with the worker. Owns which file belongs to which model and variant, and its digest.
 */
import digitsMicro from '../../models/digits/device.hymc';
import { toHex } from '../../shared/hash/sha256.ts';
import type { DeviceModel } from './model-update.ts';

const FILES: Readonly<Record<string, ArrayBuffer>> = { 'digits/micro': digitsMicro };

const loaded = new Map<string, Promise<DeviceModel>>();

/** Undefined where this deployment carries none. */
export function deviceModel(name: string): Promise<DeviceModel> | undefined {
  const known = loaded.get(name);
  const file = FILES[name];
  if (known !== undefined || file === undefined) return known;
  const made = digest(name, new Uint8Array(file));
  loaded.set(name, made);
  return made;
}

async function digest(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<DeviceModel> {
  return { name, bytes, sha256: toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) };
}
