/**
 * The package on its shelf: built once for the same sources, again for others, never left half done.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { modelServerPackage } from '../../infra/model-server-package.ts';
import type { BuildPackage, PackageRequest } from '../../infra/model-server-package.ts';
import { scratchDir } from './scratch.ts';

const request: PackageRequest = { arch: 'arm64', variants: ['base'] };

let root: string;
let builds: number;

beforeEach(() => {
  root = scratchDir();
  builds = 0;
  for (const folder of ['lambdas', 'shared', 'models/intent']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(join(root, 'lambdas', 'handler.ts'), 'export {};');
  writeFileSync(join(root, 'models', 'intent', 'base.onnx'), 'weights');
});

const build: BuildPackage = async ({ outDir }) => {
  builds += 1;
  mkdirSync(outDir, { recursive: true });
  writeFileSync(join(outDir, 'handler.mjs'), 'export {};');
  return { served: ['intent/base'] };
};

const failing: BuildPackage = async (options) => {
  await build(options);
  throw new Error('disk full');
};

const empty: BuildPackage = async (options) => ({ ...(await build(options)), served: [] });

function shelf(): string[] {
  return readdirSync(join(root, 'dist', 'model-server'));
}

test('the same sources are packed once', async () => {
  const first = await modelServerPackage(root, request, build);
  expect(await modelServerPackage(root, request, build)).toBe(first);
  expect(builds).toBe(1);
  expect(existsSync(join(first, 'handler.mjs'))).toBe(true);
});

test.each<[string, () => void]>([
  ['a changed source', () => writeFileSync(join(root, 'lambdas', 'handler.ts'), 'export const a = 1;')],
  ['a changed weight', () => writeFileSync(join(root, 'models', 'intent', 'base.onnx'), 'better weights')],
  ['a changed dependency', () => writeFileSync(join(root, 'package-lock.json'), '{"a":1}')],
])('%s is packed again, and the old package goes', async (_what, change) => {
  const first = await modelServerPackage(root, request, build);
  change();
  const second = await modelServerPackage(root, request, build);
  expect(second).not.toBe(first);
  expect(shelf()).toHaveLength(1);
});

test('other variants are another package', async () => {
  const first = await modelServerPackage(root, request, build);
  expect(await modelServerPackage(root, { ...request, variants: ['base', 'large'] }, build)).not.toBe(first);
});

test('a training script changes nothing', async () => {
  await modelServerPackage(root, request, build);
  writeFileSync(join(root, 'models', 'intent', 'train.py'), 'print()');
  await modelServerPackage(root, request, build);
  expect(builds).toBe(1);
});

test('a build that fails leaves nothing that could be mistaken for a package', async () => {
  await expect(modelServerPackage(root, request, failing)).rejects.toThrow('disk full');
  expect(shelf()).toEqual([]);
});

test('a package that could serve nothing is refused, naming the variants', async () => {
  await expect(modelServerPackage(root, { ...request, variants: ['bsae'] }, empty)).rejects.toThrow(
    'an ONNX variant called bsae',
  );
  expect(shelf()).toEqual([]);
});
