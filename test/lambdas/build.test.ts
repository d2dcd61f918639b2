import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PackageReport } from '../../lambdas/build.ts';
import { buildLambdaPackage, buildPackage } from '../../lambdas/build.ts';
import { textRequest, TINY_DIR } from './tiny.ts';

const run = promisify(execFile);
const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
let folder: string;
let report: PackageReport;

const libraryPath = (name: string): string =>
  join(report.outDir, 'node_modules/onnxruntime-node/bin/napi-v6/linux', name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-'));
  report = await buildLambdaPackage({ outDir: join(folder, 'lambda'), arch, variants: ['base'], modelDir: TINY_DIR });
});
afterAll(() => rm(folder, { recursive: true }));

describe('the Lambda package', () => {
  it('holds the asked variants only, and a card that says so', async () => {
    expect(report.served.toSorted()).toEqual(['greeting/base', 'stripes/base']);
    const card: { variants: object } = JSON.parse(
      await readFile(join(report.outDir, 'models/greeting/card.json'), 'utf8'),
    );
    expect(Object.keys(card.variants)).toEqual(['base']);
    await expect(stat(join(report.outDir, 'models/greeting/slow.onnx'))).rejects.toThrow('ENOENT');
  });

  it("holds one platform's library", async () => {
    expect((await stat(libraryPath(`${arch}/libonnxruntime.so.1`))).size).toBeGreaterThan(1_000_000);
    await expect(stat(libraryPath(arch === 'x64' ? 'arm64' : 'x64'))).rejects.toThrow('ENOENT');
  });

  it('stays under 60 MB with the base variants that are shipped', async () => {
    // The architecture that infra deploys.
    const shipped = await buildLambdaPackage({ outDir: join(folder, 'shipped'), arch: 'arm64', variants: ['base'] });
    expect(shipped.served).toEqual(expect.arrayContaining(['digits/base', 'intent/base']));
    expect(shipped.sizeBytes).toBeLessThan(60_000_000);
  });

  it('answers an event from its own folder, with nothing of the repository', async () => {
    const event = {
      headers: { 'content-type': 'application/json' },
      requestContext: { http: { method: 'POST' } },
      body: JSON.stringify(textRequest(['hello'])),
    };
    const script = join(folder, 'call.mjs');
    await writeFile(
      script,
      `import { PassThrough } from 'node:stream';
       import { text } from 'node:stream/consumers';
       const { handler } = await import(${JSON.stringify(join(report.outDir, 'handler.mjs'))});
       const stream = new PassThrough();
       const [answer] = await Promise.all([text(stream), handler(${JSON.stringify(event)}, stream, {})]);
       process.stderr.write(answer);`,
    );
    const { stderr } = await run(process.execPath, [script], { cwd: folder, env: { LAMBDA_TASK_ROOT: report.outDir } });
    expect(stderr).toContain('"statusCode":200');
    expect(stderr).toContain('"label":"greet"');
  });
});

describe('the container package', () => {
  it('starts from its own folder', async () => {
    const { outDir } = await buildPackage({
      outDir: join(folder, 'container'),
      kind: 'container',
      arch,
      modelDir: TINY_DIR,
    });
    const child = spawn(process.execPath, [join(outDir, 'container.mjs'), 'serve'], {
      cwd: outDir,
      env: { SAGEMAKER_BIND_TO_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const messages: unknown[] = [];
    for await (const line of createInterface(child.stdout)) {
      messages.push(JSON.parse(line));
      if (line.includes('"message":"ready"')) child.kill('SIGTERM');
    }
    expect(messages).toContainEqual(expect.objectContaining({ message: 'ready', models: 3 }));
    expect(messages.at(-1)).toMatchObject({ message: 'stopped', drained: true });
  });
});
