/**
 * A configuration as the text that is stored, and back: gzip only where the text alone would not fit one item, so that an
 * ordinary one stays readable in DynamoDB's console.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { MAX_CONFIG_BYTES, MAX_STORED_BODY_BYTES, type StoredVersion } from '../../shared/config/config-items.ts';
import { StoredConfigError } from '../../shared/config/stored-config-error.ts';
import type { Config } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';

export type PackedBody = Pick<StoredVersion, 'body' | 'sha256' | 'encoding'>;

/** @throws where it is too large for an isolate, or for one item even when packed */
export function packConfig(config: Config): PackedBody {
  const text = JSON.stringify(config);
  const sizeBytes = Buffer.byteLength(text);
  const sha256 = digestOf(text);
  if (sizeBytes <= MAX_STORED_BODY_BYTES) return { body: text, sha256 };
  const body = gzipSync(text, { level: 9 }).toString('base64');
  if (sizeBytes <= MAX_CONFIG_BYTES && body.length <= MAX_STORED_BODY_BYTES) return { body, sha256, encoding: 'gzip' };
  throw new CommandFailure(
    'invalid',
    `The configuration is too large: ${sizeBytes} bytes, ${body.length} when packed. An isolate takes at most ` +
      `${MAX_CONFIG_BYTES}, one item of the table at most ${MAX_STORED_BODY_BYTES}. Nothing was written.`,
    { size_bytes: sizeBytes, packed_bytes: body.length },
  );
}

/** @throws StoredConfigError where it is not what was published */
export function unpackBody(stored: StoredVersion): string {
  const text = stored.encoding === 'gzip' ? unzip(stored.body) : stored.body;
  if (digestOf(text) !== stored.sha256) {
    throw new StoredConfigError(`version ${stored.version} was altered after it was published: its checksum differs`);
  }
  return text;
}

function unzip(body: string): string {
  try {
    return gunzipSync(Buffer.from(body, 'base64'), { maxOutputLength: MAX_CONFIG_BYTES }).toString('utf8');
  } catch {
    throw new StoredConfigError(`the stored configuration does not unpack to ${MAX_CONFIG_BYTES} bytes`);
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
