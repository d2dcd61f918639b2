// The files of the edge's variants in workerd: from the script, the static assets and R2.

import { env, SELF } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import small from '../../models/intent/small.hyb';
import { BUNDLED_VARIANTS } from '../../shared/config/edge-files.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import type { WeightsFile } from '../../shared/schema/weights.ts';
import { defaultConfig } from '../../shared/config/default-config.ts';
import { BUNDLED_WEIGHTS } from '../../worker/edge-models.ts';
import { createEngine } from '../../worker/engine/engine.ts';
import kernels from '../../worker/engine/kernels.wasm';
import kernelsRelaxed from '../../worker/engine/kernels-relaxed.wasm';
import { createModelPool } from '../../worker/engine/model-pool.ts';
import { MODEL_CARDS } from '../../worker/model-cards.ts';
import type { AssetsBinding, Target, TargetResult } from '../../worker/ports.ts';
import { createEdgeTarget } from '../../worker/targets/edge.ts';
import { createModelShelf } from '../../worker/targets/model-shelf.ts';
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

describe('the models of one isolate', () => {
  const config = defaultConfig(MODEL_CARDS, {
    region: 'local',
    lambdaFunctionUrl: null,
    sagemakerEndpointName: null,
    sagemakerBaseUrl: null,
  });
  const [spec] = config.targets;
  const clock = { now: () => Date.now() };

  function placeWith(budgetBytes: number) {
    if (spec === undefined) throw new Error('the default configuration has no edge');
    const pool = createModelPool(createEngine({ wasm: kernels, relaxedWasm: kernelsRelaxed }), budgetBytes);
    const failures: string[] = [];
    const shelf = createModelShelf({
      pool,
      read,
      clock,
      keepAlive: () => undefined,
      onFailure: ({ code }) => failures.push(code),
    });
    return { pool, failures, target: createEdgeTarget({ spec, models: config.models, clock, shelf }) };
  }

  async function ask(target: Target, name: string): Promise<TargetResult> {
    const model = config.models.find((one) => one.name === name);
    if (model === undefined) throw new Error(`there is no model ${name}`);
    const input = { kind: 'text', texts: ['i lost my card'] } as const;
    const call = { requestId: 'r', model, variant: 'small', input, timeoutMs: 10_000 };
    return target.infer(call, new AbortController().signal);
  }

  it('take turns where only one transformer fits, and answer every time', async () => {
    const { pool, failures, target } = placeWith(16_000_000);
    for (let round = 0; round < 2; round += 1) {
      for (const name of ['intent', 'banking']) {
        expect(await ask(target, name)).toMatchObject({ kind: 'answered', predictions: [{ kind: 'class' }] });
        expect(pool.loaded()).toHaveLength(1);
        expect(Object.keys(target.cold?.(name) ?? {})).toEqual([`${name}/micro`]);
      }
    }
    expect(failures).toEqual([]);
  });

  it('are refused plainly where not even one fits, and the place goes on', async () => {
    const { failures, target } = placeWith(1_000_000);
    expect(await ask(target, 'intent')).toMatchObject({
      reason: 'model_broken',
      detail: 'the model cannot be loaded: model_too_large',
    });
    expect(failures).toEqual(['model_too_large']);
  });

  it('give vectors of unit length, nearer for what means the same', async () => {
    const texts = ['book a flight to rome', 'i want to fly to rome', 'my card is broken'];
    const response = await SELF.fetch('http://gateway/v1/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model_name: 'embed', input_data: texts }),
    });
    const body: { target_used: { id: string }; predictions: { embedding: number[] }[] } = await response.json();
    expect([response.status, body.target_used.id]).toEqual([200, 'edge']);
    const [rome = [], fly = [], card = []] = body.predictions.map(({ embedding }) => embedding);
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
    expect(dot(rome, rome)).toBeCloseTo(1, 4);
    expect(dot(rome, fly)).toBeGreaterThan(dot(rome, card) + 0.3);
  });
});
