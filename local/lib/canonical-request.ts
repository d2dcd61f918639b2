/**
 * The canonical form of a request, as Signature Version 4 defines it, rebuilt from what came over the wire.
 * Owns canonicalization only: keys, dates and signatures are sigv4.ts. The path is encoded twice (every service but S3).
 */
import { createHash } from 'node:crypto';

export type SignedRequest = {
  readonly method: string;
  /** Path and query exactly as received. */
  readonly target: string;
  /** Name, value, name, value: order and repetition as received. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
};

export type WireHeaders = ReadonlyMap<string, readonly string[]>;

export function collectHeaders(rawHeaders: readonly string[]): WireHeaders {
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const values = headers.get(name) ?? [];
    values.push(rawHeaders[index + 1] ?? '');
    headers.set(name, values);
  }
  return headers;
}

/** Undefined where a signed header is absent from the request: nothing it could be compared with. */
export function canonicalRequest(
  request: SignedRequest,
  headers: WireHeaders,
  signedHeaders: readonly string[],
  payloadHash: string,
): string | undefined {
  const lines: string[] = [];
  for (const name of signedHeaders) {
    const values = headers.get(name);
    if (values === undefined) return undefined;
    lines.push(`${name}:${values.map((value) => value.trim().replaceAll(/\s+/g, ' ')).join(',')}`);
  }
  const queryAt = request.target.indexOf('?');
  const path = queryAt < 0 ? request.target : request.target.slice(0, queryAt);
  const query = queryAt < 0 ? '' : request.target.slice(queryAt + 1);
  return [
    request.method.toUpperCase(),
    canonicalPath(path),
    canonicalQuery(query),
    ...lines,
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Dot segments and empty segments go first (RFC 3986), then what is left is encoded once more. */
export function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  }
  const trailing = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.map(encodeRfc3986).join('/')}${trailing}`;
}

/** A raw `+` counts as a space, as URLSearchParams and the services read it. */
export function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): readonly [string, string] => {
      const equalsAt = pair.indexOf('=');
      const name = equalsAt < 0 ? pair : pair.slice(0, equalsAt);
      const value = equalsAt < 0 ? '' : pair.slice(equalsAt + 1);
      return [encodeRfc3986(decode(name)), encodeRfc3986(decode(value))];
    })
    .toSorted((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // Not valid percent encoding: keep it as it is, so that the signature simply does not match.
    return text;
  }
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
