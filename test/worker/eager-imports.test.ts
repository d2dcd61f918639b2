/** What an isolate evaluates before its first answer: everything else waits until it is asked for. */
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function eagerModules(): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['worker/index.ts'],
    bundle: true,
    metafile: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'import'],
    external: ['cloudflare:*', 'node:*', '*.hyb', '*.wasm', '*.hymc'],
    loader: { '.bin': 'binary' },
    logLevel: 'silent',
  });
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: next, kind } of metafile.inputs[path]?.imports ?? []) if (kind !== 'dynamic-import') visit(next);
  };
  visit('worker/index.ts');
  return [...found];
}

it('leaves the large libraries, the stored schemas and the rarer protocols for later', async () => {
  const eager = await eagerModules();
  expect(eager).toContain('worker/pipeline/handle.ts');
  const unwanted =
    /zod\/index\.js|zod\/v4\/classic|graphql|fast-png|shared\/schema\/(card|config)\.ts|http\/(openai|openapi|open-inference|batches)\//;
  expect(eager.filter((path) => unwanted.test(path))).toEqual([]);
});
