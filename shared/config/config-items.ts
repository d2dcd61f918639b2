/**
 * Configuration as DynamoDB items: immutable versions and one pointer. Owns the mapping both ways and the conditions
 * that make publishing safe; leaves out sending anything, and hashing (the caller brings the digest).
 * Values are in DynamoDB's own JSON form, which its low-level API and its SDK client both take.
 */
import {
  CONFIG_POINTER_SORT_KEY,
  configPartition,
  configVersionSortKey,
  TABLE_PARTITION_KEY,
  TABLE_SORT_KEY,
} from '../names.ts';
import type { Config } from '../schema/config.ts';
import { parseConfig } from './parse-config.ts';
import { StoredConfigError } from './stored-config-error.ts';

type AttributeValue = { S: string } | { N: string };
export type Item = Record<string, AttributeValue>;

/** What goes with an item so that it is only put where that is safe. */
export type Condition = {
  readonly expression: string;
  readonly names: Record<string, string>;
  readonly values: Item;
};

export type ConditionalPut = { readonly item: Item; readonly condition: Condition };

/** One published version, its body still text. */
export type StoredVersion = {
  readonly version: number;
  readonly body: string;
  /** Of the UTF-8 bytes of the configuration's JSON, unpacked; hex. */
  readonly sha256: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publishedBy: string;
  /** The body is gzip in base64: a configuration that would not fit one item as it is. */
  readonly encoding?: 'gzip';
  /** What was in force when this one was published, 0 where nothing was: the chain of these is what was ever in force. */
  readonly basedOn?: number;
  /** A roll-back publishes an old configuration as a new version; this is the old one. */
  readonly restores?: number;
  /** Why, in the publisher's words. */
  readonly note?: string;
};

/** DynamoDB refuses an item above 400 KB; the rest of the item is small. */
export const MAX_STORED_BODY_BYTES = 380_000;
/** Unpacked; every isolate parses it and keeps it in its 128 MB. */
export const MAX_CONFIG_BYTES = 4_000_000;

function configKey(environment: string, sortKey: string): Item {
  return { [TABLE_PARTITION_KEY]: { S: configPartition(environment) }, [TABLE_SORT_KEY]: { S: sortKey } };
}

export function pointerKey(environment: string): Item {
  return configKey(environment, CONFIG_POINTER_SORT_KEY);
}

export function versionKey(environment: string, version: number): Item {
  return configKey(environment, configVersionSortKey(version));
}

/** First step of publishing: a version is written once and never again. */
export function putVersion(environment: string, stored: StoredVersion): ConditionalPut {
  const sizeBytes = utf8Length(stored.body);
  if (sizeBytes > MAX_STORED_BODY_BYTES) {
    throw new RangeError(`the configuration takes ${sizeBytes} bytes; at most ${MAX_STORED_BODY_BYTES} fit one item`);
  }
  return {
    item: {
      ...versionKey(environment, stored.version),
      version: { N: String(stored.version) },
      body: { S: stored.body },
      sha256: { S: stored.sha256 },
      published_at: { S: stored.publishedAt },
      published_by: { S: stored.publishedBy },
      ...(stored.encoding === undefined ? {} : { encoding: { S: stored.encoding } }),
      ...(stored.basedOn === undefined ? {} : { based_on: { N: String(stored.basedOn) } }),
      ...(stored.restores === undefined ? {} : { restores: { N: String(stored.restores) } }),
      ...(stored.note === undefined ? {} : { note: { S: stored.note } }),
    },
    condition: { expression: 'attribute_not_exists(#pk)', names: { '#pk': TABLE_PARTITION_KEY }, values: {} },
  };
}

/** Second step: move the pointer, only from where the publisher saw it. `undefined`: nothing was ever published. */
export function movePointer(environment: string, expectedVersion: number | undefined, version: number): ConditionalPut {
  return {
    item: { ...pointerKey(environment), version: { N: String(version) } },
    condition:
      expectedVersion === undefined
        ? { expression: 'attribute_not_exists(#pk)', names: { '#pk': TABLE_PARTITION_KEY }, values: {} }
        : {
            expression: '#version = :expected',
            names: { '#version': 'version' },
            values: { ':expected': { N: String(expectedVersion) } },
          },
  };
}

/**
 * Second step where the pointer cannot be read as a number: it is replaced, but only as it was seen. A pointer item
 * without the attribute counts as seen only while it stays without.
 */
export function mendPointer(environment: string, seen: Item, version: number): ConditionalPut {
  const held = seen['version'];
  return {
    item: { ...pointerKey(environment), version: { N: String(version) } },
    condition:
      held === undefined
        ? { expression: 'attribute_not_exists(#version)', names: { '#version': 'version' }, values: {} }
        : { expression: '#version = :seen', names: { '#version': 'version' }, values: { ':seen': held } },
  };
}

export function parsePointer(item: Item): number {
  return readVersion(item, 'the pointer');
}

export function parseVersion(item: Item): StoredVersion {
  return { body: readText(item, 'body'), ...parseVersionFacts(item) };
}

/** A version without its body, as a listing reads it. */
export type VersionFacts = Omit<StoredVersion, 'body'>;

export function parseVersionFacts(item: Item): VersionFacts {
  const encoding = optionalText(item, 'encoding');
  if (encoding !== undefined && encoding !== 'gzip') {
    throw new StoredConfigError(`the version item is packed as ${encoding}, which this gateway cannot unpack`);
  }
  const basedOn = optionalCount(item, 'based_on');
  const restores = optionalCount(item, 'restores');
  const note = optionalText(item, 'note');
  return {
    version: readVersion(item, 'the version item'),
    sha256: readText(item, 'sha256'),
    publishedAt: readText(item, 'published_at'),
    publishedBy: readText(item, 'published_by'),
    ...(encoding === undefined ? {} : { encoding }),
    ...(basedOn === undefined ? {} : { basedOn }),
    ...(restores === undefined ? {} : { restores }),
    ...(note === undefined ? {} : { note }),
  };
}

/** Strict: a key this code does not know is refused, because ignoring it would not do what its author meant. */
export function parseConfigBody(body: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new StoredConfigError('the stored configuration is not JSON');
  }
  const parsed = parseConfig(value);
  if (parsed.ok) return parsed.config;
  const [problem] = parsed.problems;
  throw new StoredConfigError(
    `the stored configuration is not valid: ${problem?.path ?? ''} ${problem?.message ?? ''}`,
  );
}

function readVersion(item: Item, what: string): number {
  const held = item['version'];
  const version = held !== undefined && 'N' in held ? Number(held.N) : Number.NaN;
  if (!Number.isSafeInteger(version) || version < 1) throw new StoredConfigError(`${what} holds no version number`);
  return version;
}

function readText(item: Item, field: string): string {
  const held = item[field];
  if (held === undefined || !('S' in held)) throw new StoredConfigError(`the version item has no text in ${field}`);
  return held.S;
}

function optionalText(item: Item, field: string): string | undefined {
  const held = item[field];
  return held !== undefined && 'S' in held ? held.S : undefined;
}

function optionalCount(item: Item, field: string): number | undefined {
  const held = item[field];
  const count = held !== undefined && 'N' in held ? Number(held.N) : Number.NaN;
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** What the text takes as UTF-8; a lone surrogate becomes U+FFFD. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
