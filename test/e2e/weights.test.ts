/** The transformer in the isolate, from the static assets and from R2: cold under a burst, corrupt, missing. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { stageWeights } from '../../local/stage-weights.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { WeightsSpec } from '../../shared/schema/weights.ts';
import { ask, chainOf, publishAndWait, type Reply } from './gateway-client.ts';

const BURST = 100;
const lines: string[] = [];
let stack: Stack;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-'));
  await stageWeights(join(REPOSITORY_ROOT, 'models'), folder);
  const file = join(folder, 'weights/banking/small.hyb');
  const bytes = await readFile(file);
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  // Staged files are links to the originals.
  await rm(file);
  await writeFile(file, bytes);
  await cp(join(REPOSITORY_ROOT, 'public/_headers'), join(folder, '_headers'));
  stack = await startStack({ port: 0, assetsFolder: folder, onWorkerLine: (line) => lines.push(line) });
});
afterAll(async () => {
  await stack.close();
  await rm(folder, { recursive: true });
});

function small(model: string, extra: Record<string, unknown> = {}): Promise<Reply> {
  const text = model === 'intent' ? 'wake me up at seven' : 'why was i charged a fee';
  return ask(stack.url, { model_name: model, input_data: text, cache: 'bypass', ...extra });
}

function loadFailures(): { path: string; code: string }[] {
  return lines
    .map((line) => JSON.parse(line) as { message: string; path: string; code: string })
    .filter(({ message }) => message === 'a model could not be loaded')
    .map(({ path, code }) => ({ path, code }));
}

function withWeights(config: Config, weights: WeightsSpec): Config {
  return {
    ...config,
    models: config.models.map((model) => ({
      ...model,
      variants: model.variants.map((variant) =>
        model.name === 'banking' && variant.name === 'small' ? { ...variant, weights } : variant,
      ),
    })),
  };
}

describe('a variant whose weights are not in the script', () => {
  it(`answers all of ${BURST} requests that come while it is loaded`, async () => {
    const asked = Array.from({ length: BURST }, () => small('intent', { variant: 'small', explain: true }));
    const replies = await Promise.all(asked);
    expect(
      new Set(replies.map(({ status, body }) => `${status} ${body.target_used?.id} ${body.predictions?.[0]?.label}`)),
    ).toEqual(new Set(['200 edge alarm']));
    expect(loadFailures()).toEqual([]);
  });

  it('that is corrupt is not served: requests go on, the log says it once, it is tried again later', async () => {
    const chains: string[][] = [];
    for (let request = 0; request < 3; request += 1) {
      const reply = await small('banking', { min_accuracy: 0.999 });
      expect(reply.status).toBe(200);
      chains.push(chainOf(reply));
    }
    expect(chains[0]?.slice(0, 2)).toEqual(['edge low_confidence', 'edge failed model_broken']);
    expect(chains.flat().filter((step) => step === 'sagemaker accepted')).toHaveLength(3);
    expect(loadFailures()).toEqual([{ path: 'banking/small.hyb', code: 'weights_corrupt' }]);
    const pinned = await small('banking', { variant: 'small', placement: 'edge', explain: true });
    expect([pinned.status, pinned.body.error?.code]).toEqual([
      503,
      expect.stringMatching(/target_unavailable|chain_exhausted/),
    ]);
  });

  it('that is missing goes on likewise, and answers once it lies where the configuration says', async () => {
    const key = 'banking/small.hyb';
    lines.length = 0;
    // The same file, so the pause after its last failure holds: long enough for it to pass.
    await publishAndWait(stack, withWeights(stack.config, { kind: 'r2', path: key }));
    await expect
      .poll(async () => chainOf(await small('banking', { min_accuracy: 0.999 })), { timeout: 20_000, interval: 500 })
      .toContain('edge failed model_broken');
    expect(loadFailures()).toContainEqual({ path: key, code: 'weights_missing' });
    await stack.worker.putWeights(key, await readFile(join(REPOSITORY_ROOT, 'models', key)));
    await expect
      .poll(async () => (await small('banking', { variant: 'small' })).body.target_used?.id, {
        timeout: 30_000,
        interval: 500,
      })
      .toBe('edge');
  });
});
