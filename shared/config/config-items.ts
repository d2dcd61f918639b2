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
  /** Of the body's UTF-8 bytes, hex. */
  readonly sha256: string;
  /** ISO 8601. */
  readonly publishedAt: string;
  readonly publishedBy: string;
};

/** DynamoDB refuses an item above 400 KB; the rest of the item is small. */
const MAX_CONFIG_BODY_CHARACTERS = 380_000;

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
  if (stored.body.length > MAX_CONFIG_BODY_CHARACTERS) {
    throw new RangeError(
      `the configuration is ${stored.body.length} characters long; at most ${MAX_CONFIG_BODY_CHARACTERS} fit one item`,
    );
  }
  return {
    item: {
      ...versionKey(environment, stored.version),
      version: { N: String(stored.version) },
      body: { S: stored.body },
      sha256: { S: stored.sha256 },
      published_at: { S: stored.publishedAt },
      published_by: { S: stored.publishedBy },
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

export function parsePointer(item: Item): number {
  return readVersion(item, 'the pointer');
}

export function parseVersion(item: Item): StoredVersion {
  return {
    version: readVersion(item, 'the version item'),
    body: readText(item, 'body'),
    sha256: readText(item, 'sha256'),
    publishedAt: readText(item, 'published_at'),
    publishedBy: readText(item, 'published_by'),
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
