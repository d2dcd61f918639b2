/** The verifier against requests that botocore signed, and against the same requests with one thing changed. */
import { readFileSync } from 'node:fs';
import { AwsV4Signer } from 'aws4fetch';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SignedRequest } from '../../local/lib/canonical-request.ts';
import { canonicalPath, canonicalQuery } from '../../local/lib/canonical-request.ts';
import { verifySigV4 } from '../../local/sigv4.ts';
import type { KnownKey, Scope } from '../../local/sigv4.ts';

type Vectors = {
  readonly access_key_id: string;
  readonly secret_access_key: string;
  readonly region: string;
  readonly service: string;
  readonly now_ms: number;
  readonly vectors: readonly {
    readonly name: string;
    readonly method: string;
    readonly target: string;
    readonly raw_headers: readonly string[];
    readonly body_base64: string;
    readonly session_token: string | null;
  }[];
};
const file = JSON.parse(
  readFileSync(new URL('../fixtures/local/sigv4-vectors.json', import.meta.url), 'utf8'),
) as Vectors;

function keyWith(sessionToken: string | null, more: Partial<KnownKey> = {}): KnownKey {
  return {
    accessKeyId: file.access_key_id,
    secretAccessKey: file.secret_access_key,
    ...(sessionToken === null ? {} : { sessionToken }),
    ...more,
  };
}

function scopeWith(key: KnownKey, more: Partial<Scope> = {}): Scope {
  return {
    region: file.region,
    service: file.service,
    findKey: (id) => (id === key.accessKeyId ? key : undefined),
    nowMs: file.now_ms,
    ...more,
  };
}

function vector(name: string): SignedRequest {
  const found = file.vectors.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return {
    method: found.method,
    target: found.target,
    rawHeaders: found.raw_headers,
    body: Buffer.from(found.body_base64, 'base64'),
  };
}

function withHeader(
  request: SignedRequest,
  name: string,
  change: (value: string) => string | undefined,
): SignedRequest {
  const rawHeaders: string[] = [];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const header = request.rawHeaders[index] ?? '';
    const value = request.rawHeaders[index + 1] ?? '';
    const changed = header.toLowerCase() === name ? change(value) : value;
    if (changed !== undefined) rawHeaders.push(header, changed);
  }
  return { ...request, rawHeaders };
}

function code(request: SignedRequest, scope: Scope): string {
  const result = verifySigV4(request, scope);
  return result.kind === 'verified' ? 'verified' : result.code;
}

describe('a request signed by botocore', () => {
  it.each(file.vectors.map(({ name, session_token }) => ({ name, session_token })))(
    '$name is verified',
    ({ name, session_token }) => {
      expect(verifySigV4(vector(name), scopeWith(keyWith(session_token)))).toMatchObject({ kind: 'verified' });
    },
  );

  it.each(file.vectors.map(({ name, session_token }) => ({ name, session_token })))(
    '$name is refused with another secret',
    ({ name, session_token }) => {
      expect(code(vector(name), scopeWith(keyWith(session_token, { secretAccessKey: 'other' })))).toBe(
        'InvalidSignatureException',
      );
    },
  );

  it('carries the signature that AWS publishes for get-vanilla', () => {
    expect(vector('get-vanilla').rawHeaders.join()).toContain(
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
  });
});

describe('a signed request with one thing changed', () => {
  const request = vector('post-json');
  const scope = scopeWith(keyWith(null));
  const cases: readonly (readonly [string, SignedRequest, Partial<Scope>, string])[] = [
    ['another method', { ...request, method: 'PUT' }, {}, 'InvalidSignatureException'],
    ['another path', { ...request, target: '/endpoints/small/invocations' }, {}, 'InvalidSignatureException'],
    ['a query added', { ...request, target: `${request.target}?a=1` }, {}, 'InvalidSignatureException'],
    ['one byte of body', { ...request, body: Buffer.from('{"text":"cafe"}') }, {}, 'InvalidSignatureException'],
    ['no body', { ...request, body: Buffer.alloc(0) }, {}, 'InvalidSignatureException'],
    ['another host', withHeader(request, 'host', () => 'evil.example'), {}, 'InvalidSignatureException'],
    [
      'a signed header changed',
      withHeader(request, 'content-type', () => 'text/plain'),
      {},
      'InvalidSignatureException',
    ],
    ['a signed header gone', withHeader(request, 'content-type', () => undefined), {}, 'InvalidSignatureException'],
    [
      'an x-amz- header added unsigned',
      { ...request, rawHeaders: [...request.rawHeaders, 'X-Amz-Target', 'Other'] },
      {},
      'InvalidSignatureException',
    ],
    [
      'a signature cut short',
      withHeader(request, 'authorization', (value) => value.slice(0, -1)),
      {},
      'InvalidSignatureException',
    ],
    [
      'host not signed',
      withHeader(request, 'authorization', (value) => value.replace('host;', '')),
      {},
      'InvalidSignatureException',
    ],
    ['another region served', request, { region: 'eu-west-1' }, 'InvalidSignatureException'],
    ['another service served', request, { service: 'lambda' }, 'InvalidSignatureException'],
    ['an unknown key', request, { findKey: () => undefined }, 'UnrecognizedClientException'],
    ['5 minutes and a second late', request, { nowMs: file.now_ms + 301_000 }, 'InvalidSignatureException'],
    ['5 minutes and a second early', request, { nowMs: file.now_ms - 301_000 }, 'InvalidSignatureException'],
    ['5 minutes late', request, { nowMs: file.now_ms + 300_000 }, 'verified'],
    ['5 minutes early', request, { nowMs: file.now_ms - 300_000 }, 'verified'],
    [
      'another date than the scope',
      withHeader(request, 'x-amz-date', () => '20150831T000000Z'),
      { nowMs: file.now_ms + 41_040_000 },
      'InvalidSignatureException',
    ],
    [
      'an HTTP date 5 minutes and a second late',
      vector('get-http-date'),
      { nowMs: file.now_ms + 301_000 },
      'InvalidSignatureException',
    ],
    [
      'an HTTP date that is none',
      withHeader(vector('get-http-date'), 'date', () => 'yesterday'),
      {},
      'IncompleteSignatureException',
    ],
    ['no date', withHeader(request, 'x-amz-date', () => undefined), {}, 'IncompleteSignatureException'],
    [
      'a date that is none',
      withHeader(request, 'x-amz-date', () => '20159930T123600Z'),
      {},
      'IncompleteSignatureException',
    ],
    [
      'no Authorization',
      withHeader(request, 'authorization', () => undefined),
      {},
      'MissingAuthenticationTokenException',
    ],
    [
      'another algorithm',
      withHeader(request, 'authorization', (value) => value.replace('SHA256', 'SHA25')),
      {},
      'IncompleteSignatureException',
    ],
    ['Bearer', withHeader(request, 'authorization', () => 'Bearer abc'), {}, 'IncompleteSignatureException'],
    [
      'no Signature',
      withHeader(request, 'authorization', (value) => value.replace(/, Signature.*/, '')),
      {},
      'IncompleteSignatureException',
    ],
    [
      'a Credential of four parts',
      withHeader(request, 'authorization', (value) => value.replace('/aws4_request', '')),
      {},
      'IncompleteSignatureException',
    ],
    [
      'words that are no pairs',
      withHeader(request, 'authorization', () => 'AWS4-HMAC-SHA256 nonsense'),
      {},
      'IncompleteSignatureException',
    ],
    [
      'two Authorization headers',
      { ...request, rawHeaders: [...request.rawHeaders, 'Authorization', 'AWS4-HMAC-SHA256 x'] },
      {},
      'MissingAuthenticationTokenException',
    ],
    [
      'a presigned query',
      { ...vector('get-vanilla'), target: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256', rawHeaders: ['Host', 'a'] },
      {},
      'IncompleteSignatureException',
    ],
  ];
  it.each(cases)('%s', (_name, changed, more, expected) => {
    expect(code(changed, { ...scope, ...more })).toBe(expected);
  });

  it('is refused when the declared hash is not the hash of the body, even where the header is signed', () => {
    const declared = vector('post-declared-hash');
    expect(code(declared, scope)).toBe('verified');
    expect(code({ ...declared, body: Buffer.from('{ }') }, scope)).toBe('InvalidSignatureException');
  });

  it('keeps the secret and the expected signature out of the message', () => {
    const result = verifySigV4({ ...request, method: 'PUT' }, scope);
    expect(JSON.stringify(result)).not.toContain(file.secret_access_key);
    expect(JSON.stringify(result)).not.toMatch(/[0-9a-f]{64}/);
  });
});

describe('temporary credentials', () => {
  const request = vector('post-sts-token');
  const token = file.vectors.find(({ name }) => name === 'post-sts-token')?.session_token ?? '';

  it.each([
    ['with their token', keyWith(token), 'verified'],
    ['with another token', keyWith(`${token}x`), 'UnrecognizedClientException'],
    ['with a token that the key does not have', keyWith(null), 'UnrecognizedClientException'],
    ['a moment before they expire', keyWith(token, { expiresAtMs: file.now_ms + 1 }), 'verified'],
    ['when they expire', keyWith(token, { expiresAtMs: file.now_ms }), 'ExpiredTokenException'],
  ])('%s', (_name, key, expected) => {
    expect(code(request, scopeWith(key))).toBe(expected);
  });

  it('without any token are refused', () => {
    expect(code(vector('post-json'), scopeWith(keyWith(token)))).toBe('UnrecognizedClientException');
  });
});

describe('aws4fetch as a second signer', () => {
  it('is verified for any path, query and body', async () => {
    const key = keyWith('session');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
        fc.array(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' })), {
          maxLength: 3,
        }),
        fc.string({ unit: 'grapheme' }),
        async (segments, query, body) => {
          const url = new URL('https://service.example:8443/');
          // A lone dot segment is resolved by URL before anybody signs it.
          url.pathname = segments.map((segment) => encodeURIComponent(segment)).join('/');
          for (const [name, value] of query) url.searchParams.append(name, value);
          const signed = await new AwsV4Signer({
            method: 'POST',
            url: url.href,
            body,
            headers: { 'x-amz-meta': 'a  b' },
            accessKeyId: key.accessKeyId,
            secretAccessKey: key.secretAccessKey,
            sessionToken: 'session',
            region: file.region,
            service: file.service,
            datetime: '20150830T123600Z',
          }).sign();
          const request: SignedRequest = {
            method: 'POST',
            target: `${signed.url.pathname}${signed.url.search}`,
            rawHeaders: ['Host', url.host, ...[...signed.headers].flat()],
            body: Buffer.from(body),
          };
          expect(code(request, scopeWith(key))).toBe('verified');
          expect(code({ ...request, body: Buffer.from(`${body}.`) }, scopeWith(key))).toBe('InvalidSignatureException');
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('canonical forms', () => {
  it.each([
    ['', '/'],
    ['/', '/'],
    ['/a/./b/../c', '/a/c'],
    ['/../a', '/a'],
    ['//a//b//', '/a/b/'],
    ['/a%20b', '/a%2520b'],
    ["/a!'()*", '/a%21%27%28%29%2A'],
  ])('path %j becomes %j', (path, expected) => expect(canonicalPath(path)).toBe(expected));

  it.each([
    ['', ''],
    ['b=1&a=2', 'a=2&b=1'],
    ['a=b&a=B&a=', 'a=&a=B&a=b'],
    ['flag', 'flag='],
    ['a+b=c+d', 'a%20b=c%20d'],
    ['a=%zz', 'a=%25zz'],
    ['a=b=c', 'a=b%3Dc'],
    ['aa=1&a=2&a%2Fb=3', 'a=2&a%2Fb=3&aa=1'],
  ])('query %j becomes %j', (query, expected) => expect(canonicalQuery(query)).toBe(expected));
});
