/**
 * AWS Signature Version 4 for calls to one URL without a query. Owns the headers that prove who is asking; leaves
 * out sending. Written here, and synchronous, because of what it costs per escalated request (sha256.ts says why);
 * aws4fetch is its oracle in the tests.
 */
import type { Clock } from '../ports.ts';
import type { AwsCredentials } from './credentials.ts';
import { hmacKey, hmacSha256, sha256, toHex } from '../../shared/hash/sha256.ts';
import type { HmacKey } from '../../shared/hash/sha256.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** Above it WebCrypto's speed outweighs its promise. */
const MAX_SYNC_BYTES = 4_096;
/** Proxies may rewrite them, so AWS's own signers leave them out too. */
const UNSIGNED_HEADERS = new Set(['content-type', 'user-agent']);
const encoder = new TextEncoder();

export type AwsHeaders = Record<string, string>;

/**
 * Every header of the request, the signature's included. A promise only where the body is long.
 * `headers` are in lower case, their values without leading, trailing or doubled spaces.
 */
export type AwsSigner = (
  headers: Readonly<AwsHeaders>,
  body: Uint8Array<ArrayBuffer>,
  credentials: AwsCredentials,
) => AwsHeaders | Promise<AwsHeaders>;

export function createAwsSigner(
  service: string,
  region: string,
  url: string,
  clock: Clock,
  method: 'POST' | 'PUT' | 'GET' = 'POST',
): AwsSigner {
  const { host, pathname } = new URL(url);
  const path = encodePath(pathname);
  let held: { readonly secret: string; readonly day: string; readonly key: HmacKey } | undefined;

  let second = -1;
  let time = '';

  /** Formatting a date costs as much as a digest, and many requests share a second. */
  function timeOf(nowMs: number): string {
    const nowSecond = Math.floor(nowMs / 1000);
    if (nowSecond !== second) {
      second = nowSecond;
      time = basicFormat(nowMs);
    }
    return time;
  }

  /** One derivation a day and secret. */
  function signingKey(secret: string, day: string): HmacKey {
    if (held?.secret === secret && held.day === day) return held.key;
    const derived = [day, region, service, 'aws4_request'].reduce<Uint8Array>(
      (key, part) => hmacSha256(hmacKey(key), encoder.encode(part)),
      encoder.encode(`AWS4${secret}`),
    );
    held = { secret, day, key: hmacKey(derived) };
    return held.key;
  }

  function sign(headers: Readonly<AwsHeaders>, bodyHash: string, credentials: AwsCredentials): AwsHeaders {
    const now = timeOf(clock.now());
    const day = now.slice(0, 8);
    const signed: AwsHeaders = { ...headers, 'x-amz-date': now };
    if (credentials.sessionToken !== undefined) signed['x-amz-security-token'] = credentials.sessionToken;
    const names = [...Object.keys(signed).filter((name) => !UNSIGNED_HEADERS.has(name)), 'host'].sort();
    const lines = names.map((name) => `${name}:${name === 'host' ? host : (signed[name] ?? '')}\n`).join('');
    const canonical = `${method}\n${path}\n\n${lines}\n${names.join(';')}\n${bodyHash}`;
    const scope = `${day}/${region}/${service}/aws4_request`;
    const toSign = `${ALGORITHM}\n${now}\n${scope}\n${toHex(sha256(encoder.encode(canonical)))}`;
    const signature = toHex(hmacSha256(signingKey(credentials.secretAccessKey, day), encoder.encode(toSign)));
    signed['authorization'] =
      `${ALGORITHM} Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
    return signed;
  }

  return (headers, body, credentials) => {
    if (body.byteLength <= MAX_SYNC_BYTES) return sign(headers, toHex(sha256(body)), credentials);
    return crypto.subtle
      .digest('SHA-256', body)
      .then((digest) => sign(headers, toHex(new Uint8Array(digest)), credentials));
  };
}

/** Encoded once more than it is on the wire, segment by segment: what every service but S3 signs. */
function encodePath(pathname: string): string {
  return pathname
    .split(/\/+/)
    .map((segment) =>
      encodeURIComponent(segment).replaceAll(
        /[!'()*]/g,
        (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/');
}

/** 20261124T071234Z */
function basicFormat(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
