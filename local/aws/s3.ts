/**
 * S3's stand-in for one bucket: PUT and GET of whole objects, kept as files of a folder that goes when it closes. Owns paths
 * and the two errors that the product can meet; leaves out listing, versions, parts, checksums of its own.
 */
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { startHttpService, type ServiceCounts, type ServiceRequest } from '../lib/http-service.ts';
import type { Fault } from '../lib/fault.ts';
import { verifySigV4, type FindKey } from '../sigv4.ts';

export type S3Options = {
  readonly port?: number;
  readonly region: string;
  readonly bucket: string;
  readonly findKey: FindKey;
};

export type S3 = {
  /** Path style: `<url>/<bucket>/<key>`. */
  readonly url: string;
  setFault(fault: Fault | null): Promise<void>;
  counts(): ServiceCounts;
  close(): Promise<void>;
};

const MAX_OBJECT_BYTES = 64 * 1024 * 1024;
/** No dot segments and nothing to decode: what is signed is what is sent. */
const KEY = /^(?!.*(?:^|\/)\.\.?(?:\/|$))[\w./-]{1,512}$/;

export async function startS3(options: S3Options): Promise<S3> {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-s3-'));
  let written = 0;

  async function put(file: string, request: ServiceRequest, response: ServerResponse): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    written += 1;
    const unfinished = join(folder, `.unfinished-${written}`);
    await writeFile(unfinished, request.body);
    // As S3 does: an object is whole or is not there.
    await rename(unfinished, file);
    response.writeHead(200, { etag: '"local"' }).end();
  }

  async function get(file: string, response: ServerResponse): Promise<void> {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) {
      sendError(response, 404, 'NoSuchKey');
      return;
    }
    response.writeHead(200, { 'content-length': found.size, 'content-type': 'application/x-ndjson' });
    await pipeline(createReadStream(file), response);
  }

  const service = await startHttpService({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: MAX_OBJECT_BYTES,
    contentType: () => 'application/xml',
    sendTooLarge: (response) => sendError(response, 400, 'EntityTooLarge'),
    sendStatus: (response, status) => sendError(response, status, status === 503 ? 'SlowDown' : 'InternalError'),
    async handle(request, response) {
      const { region, findKey } = options;
      const verification = verifySigV4(request, { region, service: 's3', findKey, nowMs: Date.now() });
      const [, bucket, ...rest] = request.path.split('/');
      const key = rest.join('/');
      // S3 asks for the digest of what is sent; the verification has compared it with the body's.
      const hasDigest = request.headers['x-amz-content-sha256'] !== undefined;
      if (verification.kind === 'refused' || !hasDigest) sendError(response, 403, 'SignatureDoesNotMatch');
      else if (bucket !== options.bucket) sendError(response, 404, 'NoSuchBucket');
      else if (!KEY.test(key)) sendError(response, 400, 'InvalidArgument');
      else if (request.method === 'PUT') await put(join(folder, key), request, response);
      else if (request.method === 'GET') await get(join(folder, key), response);
      else sendError(response, 405, 'MethodNotAllowed');
    },
  });
  return {
    url: service.url,
    setFault: (fault) => service.setFault(fault),
    counts: () => service.counts(),
    async close() {
      await service.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function sendError(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`);
}
