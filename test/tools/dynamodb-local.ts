/**
 * `npm run test:dynamodb-local [-- --download]`: the DynamoDB part of the tests against Amazon's own DynamoDB Local instead
 * of dynalite. Needs a Java runtime of 17 or newer, and says so and passes where there is none. The jar (50 MB with what it
 * needs) is fetched by Maven, from the repository it is set up for, only when asked; DYNAMODB_LOCAL_DIR names a folder that
 * already has it.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const JAR = 'DynamoDBLocal-3.3.1.jar';
const JAR_SHA256 = '41a32e0a840a1fa375d7b3955e60d4b1db94c423ef9e14a43ee9b4cf9c2fb536';
const MAIN_CLASS = 'software.amazon.dynamodb.services.local.main.ServerRunner';
const MIN_JAVA = 17;
const START_TIMEOUT_MS = 30_000;
const TESTS = [
  'test/contract/stores.test.ts',
  'test/contract/aws-wire.test.ts',
  'test/worker/store/dynamodb.test.ts',
  'test/lambdas/rollup/handler.test.ts',
];

const { values } = parseArgs({ options: { download: { type: 'boolean', default: false } } });
process.exitCode = await main();

async function main(): Promise<number> {
  const java = javaVersion();
  if (java === undefined || java < MIN_JAVA)
    return skip(`a Java runtime of ${MIN_JAVA} or newer is needed (${java === undefined ? 'none' : `${java}`} found)`);
  const folder = process.env['DYNAMODB_LOCAL_DIR'] ?? join(ROOT, 'dist/dynamodb-local');
  if (!existsSync(join(folder, JAR))) {
    if (!values.download)
      return skip(`${JAR} is not in ${folder}; fetch it with: npm run test:dynamodb-local -- --download`);
    if (!download(folder)) return 1;
  }
  const sha256 = createHash('sha256')
    .update(readFileSync(join(folder, JAR)))
    .digest('hex');
  if (sha256 !== JAR_SHA256) {
    console.error(`${join(folder, JAR)} is not the file this test was made with: its SHA-256 is ${sha256}`);
    return 1;
  }
  const port = await freePort();
  const server = spawn(
    'java',
    [
      `-Djava.library.path=${folder}`,
      '-cp',
      join(folder, '*'),
      MAIN_CLASS,
      '-inMemory',
      '-disableTelemetry',
      '-port',
      `${port}`,
    ],
    { stdio: 'ignore' },
  );
  try {
    const url = `http://127.0.0.1:${port}/`;
    await untilAnswering(url, server);
    console.log(`DynamoDB Local 3.3.1 on Java ${java}`);
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'unit', ...TESTS], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, DYNAMODB_LOCAL_URL: url },
    });
    return status ?? 1;
  } finally {
    server.kill();
  }
}

function skip(why: string): number {
  console.log(`skipped: ${why}`);
  return 0;
}

function javaVersion(): number | undefined {
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const found = status === 0 ? /version "(\d+)/.exec(stderr)?.[1] : undefined;
  return found === undefined ? undefined : Number(found);
}

function download(folder: string): boolean {
  const pom = join(import.meta.dirname, 'dynamodb-local.pom.xml');
  const { status, error } = spawnSync(
    'mvn',
    ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`],
    { stdio: 'inherit' },
  );
  if (error !== undefined) console.error('Maven (mvn) is needed to fetch it');
  return status === 0;
}

async function untilAnswering(url: string, server: ChildProcess): Promise<void> {
  const giveUpAtMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < giveUpAtMs && server.exitCode === null) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await sleep(100);
  }
  throw new Error('DynamoDB Local did not start');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
