/**
 * Packs the model server for Lambda or for the container: one bundle, onnxruntime-node for one platform, models' files.
 * Owns what is in a package. Runs offline and installs nothing: everything is copied from node_modules and models.
 *
 *   node lambdas/build.ts --out DIR --kind lambda|container --arch arm64|x64 [--variants base] [--models DIR]
 */
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { cardSchema } from '../shared/schema/card.ts';

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, '..');

export type PackageKind = 'lambda' | 'container';
export type PackageArch = 'arm64' | 'x64';

export type PackageOptions = {
  readonly outDir: string;
  readonly arch: PackageArch;
  /** Every ONNX variant when left out. */
  readonly variants?: readonly string[];
  readonly modelDir?: string;
};

export type PackageReport = {
  readonly outDir: string;
  readonly sizeBytes: number;
  /** `model/variant`, all that the package can serve. */
  readonly served: readonly string[];
};

/** `handler.handler` is the function's handler. */
export function buildLambdaPackage(options: PackageOptions): Promise<PackageReport> {
  return buildPackage({ ...options, kind: 'lambda' });
}

export async function buildPackage(options: PackageOptions & { readonly kind: PackageKind }): Promise<PackageReport> {
  const { outDir, arch, kind } = options;
  await rm(outDir, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });
  await bundle(kind, outDir);
  await copyRuntime(arch, outDir);
  const served = await copyModels(
    options.modelDir ?? join(repository, 'models'),
    join(outDir, 'models'),
    options.variants,
  );
  return { outDir, sizeBytes: await folderSize(outDir), served };
}

async function bundle(kind: PackageKind, outDir: string): Promise<void> {
  const name = kind === 'lambda' ? 'handler' : 'container';
  await build({
    entryPoints: [join(here, 'infer', `${name}.ts`)],
    outfile: join(outDir, `${name}.mjs`),
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    external: ['onnxruntime-node'],
    legalComments: 'none',
    logLevel: 'error',
  });
}

/** Its scripts and the one platform's library; the package as installed holds five platforms, 290 MB. */
async function copyRuntime(arch: PackageArch, outDir: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const runtime = resolve(dirname(require.resolve('onnxruntime-node')), '..');
  const common = resolve(
    dirname(createRequire(join(runtime, 'package.json')).resolve('onnxruntime-common')),
    '..',
    '..',
  );
  const modules = join(outDir, 'node_modules');
  await copyScripts(runtime, 'dist', join(modules, 'onnxruntime-node'));
  await copyScripts(common, join('dist', 'cjs'), join(modules, 'onnxruntime-common'));
  const bin = join('bin', 'napi-v6', 'linux', arch);
  await cp(join(runtime, bin), join(modules, 'onnxruntime-node', bin), { recursive: true });
}

async function copyScripts(from: string, folder: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await cp(join(from, 'package.json'), join(to, 'package.json'));
  await cp(join(from, folder), join(to, folder), {
    recursive: true,
    filter: async (source) => !/\.(map|d\.ts)$/.test(source),
  });
}

async function copyModels(from: string, to: string, variants: readonly string[] | undefined): Promise<string[]> {
  const served: string[] = [];
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const text = entry.isDirectory()
      ? await readFile(join(from, entry.name, 'card.json'), 'utf8').catch(() => undefined)
      : undefined;
    if (text === undefined) continue;
    const card = cardSchema.parse(JSON.parse(text));
    const packed = Object.entries(card.variants).filter(
      ([variant, spec]) => spec.runtime === 'onnx' && (variants?.includes(variant) ?? true),
    );
    if (packed.length === 0) continue;
    await mkdir(join(to, entry.name), { recursive: true });
    // Without the variants left out, so that the package serves what it holds whatever MODEL_VARIANTS says.
    await writeFile(
      join(to, entry.name, 'card.json'),
      JSON.stringify({ ...card, variants: Object.fromEntries(packed) }),
    );
    const files = packed.flatMap(([, spec]) => [
      spec.file,
      ...(spec.tokenizer === undefined ? [] : [spec.tokenizer.vocab]),
    ]);
    for (const file of new Set(files)) await cp(join(from, entry.name, file), join(to, entry.name, file));
    served.push(...packed.map(([variant]) => `${entry.name}/${variant}`));
  }
  return served;
}

async function folderSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      kind: { type: 'string', default: 'lambda' },
      arch: { type: 'string', default: 'arm64' },
      variants: { type: 'string' },
      models: { type: 'string' },
    },
  });
  const { out, kind, arch } = values;
  if (out === undefined || (kind !== 'lambda' && kind !== 'container') || (arch !== 'arm64' && arch !== 'x64')) {
    process.stderr.write(
      'Usage: build.ts --out DIR --kind lambda|container --arch arm64|x64 [--variants base,large] [--models DIR]\n',
    );
    process.exit(2);
  }
  const report = await buildPackage({
    outDir: resolve(out),
    kind,
    arch,
    ...(values.variants === undefined ? {} : { variants: values.variants.split(',') }),
    ...(values.models === undefined ? {} : { modelDir: resolve(values.models) }),
  });
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
