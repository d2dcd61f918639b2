/**
 * The real worker in the real workerd, under Miniflare: caches and scheduled events as in production, no network.
 */
import { Miniflare } from 'miniflare';
import { bundleWorker } from './bundle-worker.ts';

export type LocalWorker = { readonly url: string; close(): Promise<void> };

export type LocalWorkerOptions = {
  readonly port: number;
  readonly bindings: Readonly<Record<string, string>>;
  /** Each line the worker writes. */
  readonly onLine: (line: string) => void;
};

export async function startWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  const { mainModule, modules } = await bundleWorker();
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: options.port,
    cf: false,
    handleStructuredLogs: ({ message }) => options.onLine(message),
    workers: [
      {
        config: {
          name: 'hybrid-inference',
          compatibilityDate: '2026-08-22',
          compatibilityFlags: ['enable_request_signal'],
          manifest: { mainModule, modules: { ...modules } },
          env: Object.fromEntries(
            Object.entries(options.bindings).map(([name, value]) => [name, { type: 'text' as const, value }]),
          ),
        },
      },
    ],
  });
  const url = await miniflare.ready;
  return { url: url.origin, close: () => miniflare.dispose() };
}
