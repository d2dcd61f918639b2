/**
 * The real worker in the real workerd, under Miniflare: caches and scheduled events as in production, no network.
 */
import { join } from 'node:path';
import { Miniflare } from 'miniflare';
import { bundleOnnxWorker, bundleWorker, REPOSITORY_ROOT, type WorkerBundle } from './bundle-worker.ts';
import { stageWeights } from './stage-weights.ts';

const WORKER_NAME = 'hybrid-inference';

export type LocalWorker = {
  readonly url: string;
  /** Into the bucket WEIGHTS, which is empty at the start and gone at the end. */
  putWeights(key: string, bytes: Uint8Array): Promise<void>;
  /** At once what otherwise takes ten quiet seconds; its devices' connections stay. @param name `pool/shard` */
  putHubToSleep(name: string): Promise<void>;
  close(): Promise<void>;
};

export type LocalWorkerOptions = {
  readonly port: number;
  readonly bindings: Readonly<Record<string, string>>;
  /** Whose cards say what is staged; without it, `models`. */
  readonly modelsFolder?: string | undefined;
  /** Where that is put; without it, `public`. Given alone, it is taken as it is. */
  readonly assetsFolder?: string | undefined;
  /** With ONNX Runtime's worker beside it. */
  readonly onnx?: boolean | undefined;
  /** Each line the worker writes. */
  readonly onLine: (line: string) => void;
};

const COMPATIBILITY_DATE = '2026-08-22';
const ONNX_WORKER = 'hybrid-inference-onnx';
/** Both workers read the same objects. */
const BUCKET = 'hybrid-inference-weights';

export async function startWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  const assetsFolder = options.assetsFolder ?? join(REPOSITORY_ROOT, 'public');
  if (options.assetsFolder === undefined || options.modelsFolder !== undefined)
    await stageWeights(options.modelsFolder ?? join(REPOSITORY_ROOT, 'models'), assetsFolder);
  const [{ mainModule, modules }, onnx] = await Promise.all([
    bundleWorker(),
    options.onnx === true ? bundleOnnxWorker() : undefined,
  ]);
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: options.port,
    cf: false,
    handleStructuredLogs: ({ message }) => options.onLine(message),
    workers: [
      {
        config: {
          name: WORKER_NAME,
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: ['enable_request_signal'],
          manifest: { mainModule, modules: { ...modules } },
          assets: {
            directory: assetsFolder,
            hasUserWorker: true,
            runWorkerFirst: ['/*', '!/identity/*'],
            htmlHandling: 'none',
            notFoundHandling: 'none',
          },
          exports: { DeviceHub: { type: 'durable-object', storage: 'sqlite' } },
          env: {
            ...Object.fromEntries(
              Object.entries(options.bindings).map(([name, value]) => [name, { type: 'text' as const, value }]),
            ),
            ASSETS: { type: 'assets' },
            WEIGHTS: { type: 'r2', name: BUCKET },
            DEVICES: { type: 'durable-object', worker: WORKER_NAME, exportName: 'DeviceHub' },
            ...(onnx === undefined ? {} : { ORT: { type: 'worker' as const, worker: ONNX_WORKER } }),
          },
        },
      },
      ...(onnx === undefined ? [] : [onnxWorker(onnx, assetsFolder)]),
    ],
  });
  const url = await miniflare.ready;
  return {
    url: url.origin,
    async putWeights(key, bytes) {
      const bucket = await miniflare.getR2Bucket('WEIGHTS');
      await bucket.put(key, bytes);
    },
    async putHubToSleep(name) {
      await miniflare.unsafeEvictDurableObject(WORKER_NAME, 'DeviceHub', { name, webSockets: 'hibernate' });
    },
    close: () => miniflare.dispose(),
  };
}

function onnxWorker({ mainModule, modules }: WorkerBundle, assetsFolder: string) {
  return {
    config: {
      name: ONNX_WORKER,
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: { mainModule, modules: { ...modules } },
      assets: { directory: assetsFolder, hasUserWorker: true, runWorkerFirst: true },
      env: { ASSETS: { type: 'assets' as const }, WEIGHTS: { type: 'r2' as const, name: BUCKET } },
    },
  };
}
