/** The small functions as they are deployed: one file each, complete, small, and running on what Lambda gives them. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSmallFunctions } from '../../lambdas/build-functions.ts';

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'small-functions-'));
  await buildSmallFunctions(join(scratch, 'functions'));
});
afterAll(() => rm(scratch, { recursive: true }));

describe.each(['probe', 'batch'])('the package of %s', (name) => {
  it('is one file below 1 MB', async () => {
    expect((await stat(join(scratch, 'functions', `${name}.mjs`))).size).toBeLessThan(1_000_000);
  });

  it('loads with nothing beside it, and says what its environment lacks', () => {
    const script = `const { handler } = await import(${JSON.stringify(join(scratch, 'functions', `${name}.mjs`))});
      await handler({ Records: [] }).catch((error) => { console.log(error.message); process.exit(7); });`;
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: scratch,
      env: {},
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([7, expect.stringContaining('TABLE_NAME')]);
  });
});
