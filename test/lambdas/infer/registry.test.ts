import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Registry } from '../../../lambdas/infer/registry.ts';
import { openRegistry } from '../../../lambdas/infer/registry.ts';
import { fakeSession, openTiny, TINY_DIR } from '../tiny.ts';

const names = (registry: Registry): string[] =>
  registry.served.map(({ card, variant }) => `${card.name}/${variant}`).toSorted();

describe('the registry', () => {
  it('serves every onnx variant of every card, and none of another runtime', async () => {
    expect(names(await openTiny())).toEqual(['greeting/base', 'greeting/slow', 'stripes/base']);
  });

  it('serves only the variants it is told to', async () => {
    expect(names(await openTiny(['slow']))).toEqual(['greeting/slow']);
    await expect(openTiny(['huge'])).rejects.toThrow('No ONNX variant');
  });

  it('says model_unknown for a model or variant it does not serve', async () => {
    const registry = await openTiny(['base']);
    for (const [model, variant] of [
      ['nobody', 'base'],
      ['greeting', 'slow'],
      ['greeting', 'micro'],
      ['__proto__', 'base'],
    ] as const) {
      expect(() => registry.find(model, variant)).toThrow(expect.objectContaining({ code: 'model_unknown' }));
    }
  });

  it('opens a session once however many ask at the same time', async () => {
    let opened = 0;
    const registry = await openTiny(['base'], async () => {
      opened += 1;
      return fakeSession(3);
    });
    const served = registry.find('greeting', 'base');
    const [first, second] = await Promise.all([registry.load(served), registry.load(served)]);
    expect(await registry.load(served)).toBe(first);
    expect(second).toBe(first);
    expect(opened).toBe(1);
  });

  it('tries again after a load that failed', async () => {
    let opened = 0;
    const registry = await openTiny(['base'], async () => {
      opened += 1;
      if (opened === 1) throw new Error('out of memory');
      return fakeSession(3);
    });
    const served = registry.find('greeting', 'base');
    await expect(registry.load(served)).rejects.toMatchObject({ code: 'not_configured' });
    await expect(registry.load(served)).resolves.toMatchObject({ variant: 'base' });
  });
});

describe('the registry over files that are not what the card says', () => {
  let modelDir: string;
  beforeEach(async () => {
    modelDir = await mkdtemp(join(tmpdir(), 'models-'));
    await cp(TINY_DIR, modelDir, { recursive: true });
  });
  afterEach(() => rm(modelDir, { recursive: true }));

  async function load(): Promise<unknown> {
    let isOpened = false;
    const registry = await openRegistry({
      modelDir,
      variants: ['base'],
      openSession: async () => {
        isOpened = true;
        return fakeSession(3);
      },
    });
    const failure: unknown = await registry.load(registry.find('greeting', 'base')).catch((error: unknown) => error);
    expect(isOpened).toBe(false);
    return failure;
  }

  it('refuses a file of another size before the runtime sees it', async () => {
    await appendFile(join(modelDir, 'greeting', 'base.onnx'), 'x');
    expect(await load()).toMatchObject({ code: 'not_configured', detail: expect.stringContaining('bytes') });
  });

  it('refuses a file of the same size with one bit turned', async () => {
    const path = join(modelDir, 'greeting', 'base.onnx');
    const bytes = await readFile(path);
    bytes[700] = (bytes[700] ?? 0) ^ 1;
    await writeFile(path, bytes);
    expect(await load()).toMatchObject({ code: 'not_configured', detail: expect.stringContaining('SHA-256') });
  });

  it('refuses a missing vocabulary', async () => {
    await rm(join(modelDir, 'greeting', 'vocab.txt'));
    expect(await load()).toMatchObject({ code: 'not_configured', detail: expect.stringContaining('vocab.txt') });
  });

  it('does not start over a card that is none, and says which field is wrong', async () => {
    const path = join(modelDir, 'stripes', 'card.json');
    const card: Record<string, unknown> = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...card, labels: 'rows' }));
    await expect(
      openRegistry({ modelDir, variants: undefined, openSession: async () => fakeSession(2) }),
    ).rejects.toThrow(/stripes.*labels/);
  });
});
