// Reading a model's file from each of its three places, and every way that can go wrong.

import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightsFile } from '../../../shared/schema/weights.ts';
import { createWeightsReader, WeightsError } from '../../../worker/store/weights.ts';
import type { WeightsSources } from '../../../worker/store/weights.ts';

const BYTES = Uint8Array.from({ length: 1_000 }, (_unused, index) => index % 251);

function fileOf(kind: WeightsFile['weights']['kind'], bytes: Uint8Array = BYTES): WeightsFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { weights: { kind, path: 'mood/micro' }, size_bytes: bytes.byteLength, sha256 };
}

/** All three hold `bytes`. */
function sourcesOf(bytes: Uint8Array, response: () => Response = () => new Response(bytes.slice())): WeightsSources {
  return {
    bundled: { 'mood/micro': bytes.slice().buffer },
    assets: { fetch: async () => response() },
    bucket: { get: async () => ({ size: bytes.byteLength, arrayBuffer: async () => bytes.slice().buffer }) },
  };
}

async function codeOf(reading: Promise<ArrayBuffer>): Promise<string> {
  try {
    await reading;
    return 'read';
  } catch (error) {
    return error instanceof WeightsError ? error.code : String(error);
  }
}

describe.each(['bundled', 'asset', 'r2'] as const)('weights, %s', (kind) => {
  it('are read whole', async () => {
    const read = createWeightsReader(sourcesOf(BYTES));
    expect(new Uint8Array(await read(fileOf(kind)))).toEqual(BYTES);
  });

  it('are missing where there is nothing, or no such place', async () => {
    const nothing = {
      bundled: {},
      assets: { fetch: async () => new Response(null, { status: 404 }) },
      bucket: { get: async () => null },
    };
    expect(await codeOf(createWeightsReader(nothing)(fileOf(kind)))).toBe('weights_missing');
    const nowhere = { bundled: {}, assets: undefined, bucket: undefined };
    expect(await codeOf(createWeightsReader(nowhere)(fileOf(kind)))).toBe('weights_missing');
  });

  it('are corrupt with any byte changed, any cut and any addition', async () => {
    const changes = fc.oneof(
      fc.nat({ max: BYTES.length - 1 }).map((at) => BYTES.map((byte, index) => (index === at ? byte ^ 1 : byte))),
      fc.nat({ max: BYTES.length - 1 }).map((end) => BYTES.slice(0, end)),
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }).map((more) => Uint8Array.from([...BYTES, ...more])),
    );
    await fc.assert(
      fc.asyncProperty(changes, async (bytes) => {
        expect(await codeOf(createWeightsReader(sourcesOf(bytes))(fileOf(kind)))).toBe('weights_corrupt');
      }),
      { numRuns: 50 },
    );
  });
});

describe('weights', () => {
  it('cannot be reached when the place fails, and the cause is kept', async () => {
    const sources = sourcesOf(BYTES, () => new Response('busy', { status: 503 }));
    expect(await codeOf(createWeightsReader(sources)(fileOf('asset')))).toBe('weights_unreachable');
    const failing = { ...sources, bucket: { get: () => Promise.reject(new Error('internal error; reference = 1')) } };
    await expect(createWeightsReader(failing)(fileOf('r2'))).rejects.toMatchObject({
      code: 'weights_unreachable',
      cause: { message: 'internal error; reference = 1' },
    });
  });

  it('of another length than stated are not read at all', async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(new Uint8Array(1_000));
        },
      },
      { highWaterMark: 0 },
    );
    const sources = sourcesOf(BYTES, () => new Response(endless, { headers: { 'content-length': '9000000000' } }));
    expect(await codeOf(createWeightsReader(sources)(fileOf('asset')))).toBe('weights_corrupt');
    expect(pulled).toBe(0);
  });

  it('without a stated length are read no further than the registry says', async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(300));
      },
    });
    const sources = sourcesOf(BYTES, () => new Response(endless));
    expect(await codeOf(createWeightsReader(sources)(fileOf('asset')))).toBe('weights_corrupt');
    expect(pulled).toBeLessThan(8);
  });

  it('are asked for under their path', async () => {
    const asked: string[] = [];
    const sources = sourcesOf(BYTES);
    const read = createWeightsReader({
      ...sources,
      assets: { fetch: async (url) => (asked.push(url), new Response(BYTES.slice())) },
      bucket: { get: async (key) => (asked.push(key), sources.bucket?.get(key) ?? null) },
    });
    await read(fileOf('asset'));
    await read(fileOf('r2'));
    expect(asked).toEqual(['https://assets.invalid/weights/mood/micro', 'mood/micro']);
  });
});
