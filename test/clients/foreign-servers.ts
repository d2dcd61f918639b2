/**
 * Our `gpu` target against servers of the Open Inference Protocol that we did not write, MLServer and KServe, over a model
 * that scikit-learn trained.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelSpec, TargetSpec } from '../../shared/schema/config.ts';
import { createGpuTarget } from '../../worker/targets/gpu.ts';
import type { Check } from './checks.ts';
import { capture, scriptPath, type PythonEnvironment } from './python.ts';

type Trained = {
  readonly labels: readonly string[];
  readonly rows: readonly (readonly number[])[];
  readonly expected: readonly (readonly number[])[];
};

type ForeignServer = { readonly checks: readonly Check[]; close(): Promise<void> };

type Start = {
  readonly python: PythonEnvironment;
  /** Whether it knows the binary tensor extension. */
  readonly speaksBinary: boolean;
  readonly command: (folder: string, port: number) => readonly string[];
  readonly environment: (port: number) => Promise<Readonly<Record<string, string>>>;
};

const START_TIMEOUT_MS = 60_000;

/** Its REST endpoints know JSON tensors only. */
export function startMlServer(python: PythonEnvironment): Promise<ForeignServer> {
  return start({
    python,
    speaksBinary: false,
    command: (folder) => [python.bin('mlserver'), 'start', folder],
    environment: async (port) => ({
      MLSERVER_HTTP_PORT: String(port),
      MLSERVER_GRPC_PORT: String(await freePort()),
      MLSERVER_METRICS_PORT: String(await freePort()),
      MLSERVER_PARALLEL_WORKERS: '0',
    }),
  });
}

export function startKServe(python: PythonEnvironment): Promise<ForeignServer> {
  return start({
    python,
    speaksBinary: true,
    command: (folder, port) => [python.bin('python'), scriptPath('kserve_server.py'), folder, String(port)],
    environment: async () => ({}),
  });
}

async function start({ python, speaksBinary, command, environment }: Start): Promise<ForeignServer> {
  const folder = await mkdtemp(join(tmpdir(), 'foreign-server-'));
  const trained = JSON.parse(await capture(python, 'iris_model.py', [folder])) as Trained;
  const port = await freePort();
  const [program = '', ...parameters] = command(folder, port);
  const server = spawn(program, parameters, {
    stdio: 'ignore',
    env: { ...process.env, ...(await environment(port)) },
  });
  const url = `http://127.0.0.1:${port}`;
  await waitUntilReady(url, server);
  return {
    checks: (speaksBinary ? [true, false] : [false]).map((binary) => ({
      name: `a gpu target answers as scikit-learn itself, ${binary ? 'binary' : 'JSON'} tensors`,
      run: () => compare(url, binary, trained),
    })),
    close: async () => {
      server.kill();
      if (server.exitCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function compare(url: string, binaryTensors: boolean, { labels, rows, expected }: Trained): Promise<void> {
  const target = createGpuTarget({ spec: targetOf(url, binaryTensors), clock: Date, secretOf: () => undefined });
  const result = await target.infer(
    {
      requestId: 'foreign-check',
      model: modelOf(labels),
      variant: 'forest',
      input: { kind: 'numbers', size: 4, rows: rows.map((row) => Float32Array.from(row)) },
      timeoutMs: 10_000,
    },
    new AbortController().signal,
  );
  assert.equal(result.kind, 'answered', JSON.stringify(result));
  if (result.kind !== 'answered') return;
  result.predictions.forEach((prediction, row) => {
    assert.equal(prediction.kind, 'class');
    const shares = expected[row] ?? [];
    assert.ok(Math.abs(prediction.confidence - Math.max(...shares)) < 1e-4);
    assert.equal(prediction.kind === 'class' && prediction.label, labels[shares.indexOf(Math.max(...shares))]);
  });
  assert.equal((await target.check(AbortSignal.timeout(5_000))).ok, true);
}

function modelOf(labels: readonly string[]): ModelSpec {
  return {
    name: 'iris',
    version: '1',
    task: 'tabular_classification',
    description: 'Irises by four measures.',
    labels: [...labels],
    out_of_scope_label: null,
    input: { kind: 'numbers', size: 4 },
    reference_variant: 'forest',
    variants: [{ name: 'forest', accuracy: 0.97, size_bytes: 1, sha256: '0'.repeat(64), format: 'scikit-learn' }],
  };
}

function targetOf(url: string, binaryTensors: boolean): TargetSpec {
  return {
    id: 'foreign',
    region: 'local',
    enabled: true,
    endpoint: {
      kind: 'gpu',
      base_url: url,
      token_secret: null,
      binary_tensors: binaryTensors,
      models: {
        'iris/forest': {
          name: 'iris',
          version: null,
          input: 'features',
          output: { name: 'predict_proba', holds: 'probabilities' },
        },
      },
    },
    serves: [{ model: 'iris', variant: 'forest', latency_prior: { p50_ms: 10, p95_ms: 20 }, compute_prior_ms: 5 }],
    price: { kind: 'flat', usd_per_request: 0 },
    timeout_ms: 10_000,
    max_batch: 64,
    max_payload_bytes: 1_000_000,
    max_concurrency: 10,
  };
}

async function waitUntilReady(url: string, server: ChildProcess): Promise<void> {
  const giveUpAtMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${url}/v2/models/iris/ready`).catch(() => undefined);
    if (response?.ok === true) return;
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
    if (performance.now() > giveUpAtMs) throw new Error('the server did not become ready');
    await sleep(200);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}
