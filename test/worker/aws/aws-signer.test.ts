/** The signer against two independent ones: aws4fetch, and the verifier of the stand-ins (itself held to botocore's vectors). */
import { createHash, createHmac } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAwsSigner } from '../../../worker/aws/aws-signer.ts';
import type { AwsCredentials } from '../../../worker/aws/credentials.ts';
import { hmacKey, hmacSha256, sha256, toHex } from '../../../shared/hash/sha256.ts';

const NOW_MS = Date.UTC(2026, 10, 24, 7, 12, 34, 567);
const DATETIME = '20261124T071234Z';
const headers = {
  'content-type': 'application/json',
  accept: 'application/x-ndjson',
  'x-request-id': 'r-1',
  'x-deadline-ms': '300',
};
const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text));

async function oracle(
  url: string,
  body: Uint8Array<ArrayBuffer>,
  credentials: AwsCredentials,
  service = 'lambda',
): Promise<string | null> {
  const signer = new AwsV4Signer({
    method: 'POST',
    url,
    headers,
    body,
    service,
    region: 'eu-central-1',
    datetime: DATETIME,
    ...credentials,
  });
  return (await signer.sign()).headers.get('authorization');
}

const plain: AwsCredentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const temporary: AwsCredentials = { ...plain, sessionToken: 'token/with+odd=characters'.repeat(40) };

describe('the signer', () => {
  it.each([
    ['a bare function URL', 'https://abc.lambda-url.eu-central-1.on.aws/', plain],
    ['temporary credentials', 'https://abc.lambda-url.eu-central-1.on.aws/', temporary],
    ['a path and a port', 'http://127.0.0.1:4567/endpoints/my-endpoint/invocations', plain],
    ['a path that needs escapes', "http://127.0.0.1:4567/a%20b/c'(d)*!/~x/$&+,;=:@", temporary],
    ['doubled slashes', 'http://127.0.0.1:4567//a//b/', plain],
  ])('agrees with aws4fetch on %s', async (_name, url, credentials) => {
    const signed = await createAwsSigner('lambda', 'eu-central-1', url, { now: () => NOW_MS })(
      headers,
      bytes('{"a":1}'),
      credentials,
    );
    expect(signed['authorization']).toBe(await oracle(url, bytes('{"a":1}'), credentials));
    expect(signed).toMatchObject({ ...headers, 'x-amz-date': DATETIME });
  });

  it.each(['PUT', 'GET'] as const)(
    'agrees with aws4fetch on a %s of an object, whose digest S3 wants to see',
    async (method) => {
      const url = 'https://lines.s3.eu-central-1.amazonaws.com/batches/4f0a-1/input/7.ndjson';
      const body = bytes(method === 'PUT' ? '{"a":1}\n' : '');
      const sent = { 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') };
      const signed = await createAwsSigner(
        's3',
        'eu-central-1',
        url,
        { now: () => NOW_MS },
        method,
      )(sent, body, temporary);
      const theirs = await new AwsV4Signer({
        method,
        url,
        headers: sent,
        ...(method === 'PUT' ? { body } : {}),
        service: 's3',
        region: 'eu-central-1',
        datetime: DATETIME,
        ...temporary,
      }).sign();
      expect(signed['authorization']).toBe(theirs.headers.get('authorization'));
    },
  );

  it('agrees with aws4fetch on bodies of every length around its own limits', async () => {
    const url = 'https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/large/invocations';
    const sign = createAwsSigner('sagemaker', 'eu-central-1', url, { now: () => NOW_MS });
    for (const length of [0, 1, 55, 56, 63, 64, 65, 4_095, 4_096, 4_097, 100_000]) {
      const body = bytes('\u00e9'.repeat(length).slice(0, length));
      expect((await sign(headers, body, temporary))['authorization']).toBe(
        await oracle(url, body, temporary, 'sagemaker'),
      );
    }
  });

  it('derives a new key when the day or the secret changes, and a new time each second', async () => {
    let nowMs = Date.UTC(2026, 10, 24, 23, 59, 59, 900);
    const sign = createAwsSigner('lambda', 'eu-central-1', 'https://example.org/', { now: () => nowMs });
    const first = await sign(headers, bytes(''), plain);
    const otherSecret = await sign(headers, bytes(''), { ...plain, secretAccessKey: 'other' });
    nowMs += 200;
    const nextDay = await sign(headers, bytes(''), plain);
    nowMs -= 200;
    const again = await sign(headers, bytes(''), plain);
    expect(first['x-amz-date']).toBe('20261124T235959Z');
    expect(nextDay['x-amz-date']).toBe('20261125T000000Z');
    expect(nextDay['authorization']).toContain('/20261125/eu-central-1/lambda/aws4_request');
    expect(new Set([first, otherSecret, nextDay].map((signed) => signed['authorization'])).size).toBe(3);
    expect(again).toEqual(first);
  });
});

describe('the digests', () => {
  it('are those of node:crypto, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 150 }), (message, key) => {
        expect(toHex(sha256(message))).toBe(createHash('sha256').update(message).digest('hex'));
        expect(toHex(hmacSha256(hmacKey(key), message))).toBe(createHmac('sha256', key).update(message).digest('hex'));
      }),
    );
  });

  it('leave a key as it was, so that it can be used again', () => {
    const key = hmacKey(bytes('key'));
    expect(toHex(hmacSha256(key, bytes('a')))).toBe(toHex(hmacSha256(key, bytes('a'))));
  });
});
