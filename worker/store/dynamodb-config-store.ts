/**
 * The ConfigStore port over DynamoDB. Owns following the pointer to a version and refusing one that is not exactly what
 * was published; leaves out when to look and what to do while it fails (config-keeper.ts).
 */
import {
  MAX_CONFIG_BYTES,
  parseConfigBody,
  parsePointer,
  parseVersion,
  pointerKey,
  versionKey,
} from '../../shared/config/config-items.ts';
import type { StoredVersion } from '../../shared/config/config-items.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import { StoredConfigError } from '../../shared/config/stored-config-error.ts';
import { readBounded } from '../aws/bounded-text.ts';
import { decodeBase64 } from '../base64.ts';
import type { ConfigStore } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

export function createDynamoConfigStore(client: DynamoClient, environment: string): ConfigStore {
  return {
    async load(knownVersion, signal) {
      const pointer = await client.getItem(pointerKey(environment), signal);
      if (pointer === undefined) throw new StoredConfigError(`no configuration was ever published for ${environment}`);
      const version = parsePointer(pointer);
      if (String(version) === knownVersion) return undefined;
      const item = await client.getItem(versionKey(environment, version), signal);
      if (item === undefined) throw new StoredConfigError(`the pointer names version ${version}, which does not exist`);
      const stored = parseVersion(item);
      const body = stored.encoding === 'gzip' ? await unpack(stored.body) : stored.body;
      await verify(stored, body, version);
      return { config: parseConfigBody(body), version: String(version) };
    },
  };
}

async function verify(stored: StoredVersion, body: string, version: number): Promise<void> {
  if (stored.version !== version)
    throw new StoredConfigError(`the item of version ${version} says it is version ${stored.version}`);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body));
  const hex = toHex(new Uint8Array(digest));
  if (hex !== stored.sha256)
    throw new StoredConfigError(`version ${version} was altered after it was published: its checksum differs`);
}

/** Bounded while it unpacks: a few kilobytes of gzip can hold gigabytes. */
async function unpack(packed: string): Promise<string> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = decodeBase64(packed);
  } catch {
    throw new StoredConfigError('the stored configuration is not base64');
  }
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const { text, complete } = await readBounded(unpacked, MAX_CONFIG_BYTES);
  if (!complete) throw new StoredConfigError(`the stored configuration does not unpack to ${MAX_CONFIG_BYTES} bytes`);
  return text;
}
