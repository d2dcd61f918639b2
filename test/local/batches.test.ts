/** The stand-ins of S3 and SQS: what is put is got, whole; strangers get nothing; what failed is delivered again. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createAwsCaller } from '../../lambdas/lib/aws-call.ts';
import { startS3, type S3 } from '../../local/aws/s3.ts';
import { startSqs, type Sqs, type SqsEvent } from '../../local/aws/sqs.ts';
import { findKey, KEY, REGION } from '../fixtures/local/keys.ts';

const aws = createAwsCaller(KEY, 2_000);
const stranger = createAwsCaller({ ...KEY, secretAccessKey: 'wrong' }, 2_000);
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

async function bucket(): Promise<S3> {
  const s3 = await startS3({ region: REGION, bucket: 'lines', findKey });
  opened.push(s3);
  return s3;
}

function put(s3: S3, path: string, body: string, caller = aws, sha256 = digest(body)) {
  return caller.send('s3', REGION, `${s3.url}/${path}`, {
    method: 'PUT',
    headers: { 'x-amz-content-sha256': sha256 },
    body,
  });
}
function get(s3: S3, path: string, caller = aws) {
  return caller.send('s3', REGION, `${s3.url}/${path}`, { headers: { 'x-amz-content-sha256': digest('') } });
}

describe("S3's stand-in", () => {
  it('gives back what was put last', async () => {
    const s3 = await bucket();
    await put(s3, 'lines/batches/b/input/1.ndjson', 'first');
    expect((await put(s3, 'lines/batches/b/input/1.ndjson', 'second é')).status).toBe(200);
    expect(await get(s3, 'lines/batches/b/input/1.ndjson')).toMatchObject({ status: 200, text: 'second é' });
  });

  it.each([
    ['an object that is not there', 'lines/nothing', 404, 'NoSuchKey'],
    ['another bucket', 'other/batches/1', 404, 'NoSuchBucket'],
    ['a key of characters that need escapes', 'lines/a,b', 400, 'InvalidArgument'],
  ])('refuses %s', async (_name, path, status, code) => {
    const answer = await get(await bucket(), path);
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(code)]);
  });

  it('refuses who cannot sign, and a body that is not the one signed', async () => {
    const s3 = await bucket();
    expect((await put(s3, 'lines/a', 'x', stranger)).status).toBe(403);
    expect((await put(s3, 'lines/a', 'x', aws, digest('y'))).status).toBe(403);
    expect((await get(s3, 'lines/a')).status).toBe(404);
    expect((await fetch(`${s3.url}/lines/a`)).status).toBe(403);
  });
});

describe("SQS's stand-in", () => {
  async function queue(deliver: (event: SqsEvent) => Promise<boolean>): Promise<Sqs> {
    const sqs = await startSqs({ region: REGION, queue: 'chunks', findKey, visibilityMs: 50, concurrency: 2, deliver });
    opened.push(sqs);
    return sqs;
  }
  const send = (sqs: Sqs, bodies: readonly string[], queueUrl = sqs.queueUrl) =>
    aws.operation({
      service: 'sqs',
      region: REGION,
      url: `${new URL(sqs.queueUrl).origin}/`,
      target: 'AmazonSQS.SendMessageBatch',
      version: '1.0',
      input: { QueueUrl: queueUrl, Entries: bodies.map((MessageBody, at) => ({ Id: String(at), MessageBody })) },
    });

  it('delivers each message until it is done with, one a call', async () => {
    const seen: string[] = [];
    const sqs = await queue(async ({ Records: [record, ...others] }) => {
      expect(others).toEqual([]);
      seen.push(record?.body ?? '');
      if (record?.body === 'throws' && seen.filter((body) => body === 'throws').length < 2) throw new Error('died');
      return record?.body !== 'fails' || seen.filter((body) => body === 'fails').length > 2;
    });
    await send(sqs, ['works', 'fails', 'throws']);
    await expect.poll(() => sqs.depth(), { timeout: 5_000 }).toBe(0);
    expect(seen.toSorted()).toEqual(['fails', 'fails', 'fails', 'throws', 'throws', 'works']);
  });

  it('refuses another queue, and more messages than a call may hold', async () => {
    const sqs = await queue(async () => true);
    await expect(send(sqs, ['x'], 'https://sqs/1/other')).rejects.toMatchObject({ code: 'QueueDoesNotExist' });
    const many = Array.from({ length: 11 }, () => 'x');
    await expect(send(sqs, many)).rejects.toMatchObject({ code: 'TooManyEntriesInBatchRequest' });
    expect(sqs.depth()).toBe(0);
  });
});
