// The files of the edge's variants in workerd: from the script, the static assets and R2.

import { env, SELF } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import small from '../../models/intent/small.hyb';
import { BUNDLED_VARIANTS } from '../../shared/config/edge-files.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import type { WeightsFile } from '../../shared/schema/weights.ts';
import { BUNDLED_WEIGHTS } from '../../worker/edge-models.ts';
import type { AssetsBinding } from '../../worker/ports.ts';
import { createWeightsReader } from '../../worker/store/weights.ts';

const bindings = env as unknown as { ASSETS: AssetsBinding; WEIGHTS: R2Bucket };
const read = createWeightsReader({ bundled: BUNDLED_WEIGHTS, assets: bindings.ASSETS, bucket: bindings.WEIGHTS });

async function fileOf(kind: 'asset' | 'r2', path: string, bytes: ArrayBuffer): Promise<WeightsFile> {
  const sha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  return { weights: { kind, path }, size_bytes: bytes.byteLength, sha256 };
}

describe('weights in workerd', () => {
  it('are bundled where the default configuration says so', () => {
    expect(Object.keys(BUNDLED_WEIGHTS).toSorted()).toEqual([...BUNDLED_VARIANTS].toSorted());
  });

  it('come from the static assets', async () => {
    const bytes = await read(await fileOf('asset', 'intent/small.hyb', small));
    expect(bytes.byteLength).toBe(small.byteLength);
  });

  it('come from R2', async () => {
    await bindings.WEIGHTS.put('intent/small.hyb', small);
    const bytes = await read(await fileOf('r2', 'intent/small.hyb', small));
    expect(bytes.byteLength).toBe(small.byteLength);
  });

  it.each(['asset', 'r2'] as const)('are missing in %s', async (kind) => {
    await expect(read(await fileOf(kind, 'intent/nothing.hyb', small))).rejects.toMatchObject({
      code: 'weights_missing',
    });
  });

  it('are corrupt in R2 when another file lies there', async () => {
    await bindings.WEIGHTS.put('intent/other.hyb', new Uint8Array(small.byteLength));
    const file = await fileOf('r2', 'intent/other.hyb', small);
    await expect(read(file)).rejects.toMatchObject({ code: 'weights_corrupt' });
  });

  it.each(['card.json', 'base.onnx', 'vocab.txt'])('are all that assets hold: no %s', async (name) => {
    const response = await bindings.ASSETS.fetch(`https://assets.invalid/weights/intent/${name}`);
    expect(response.status).toBe(404);
  });

  it('are nobody’s to fetch', async () => {
    const response = await SELF.fetch('http://gateway/weights/intent/small.hyb');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } });
  });
});
