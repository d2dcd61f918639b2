/**
 * The workers under test, each in a workerd of its own on the same core: the gateway as deployed, and the baselines.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BARE_WORKER, PARSE_FETCH_WORKER } from './baseline-workers.ts';
import type { WorkerdConfig } from './capnp.ts';
import type { WorkerName } from './scenarios.ts';
import type { WorkerBundle } from './worker-bundle.ts';

export type WorkerSetup = { readonly folder: string; readonly config: WorkerdConfig };

const COMPATIBILITY = { compatibilityDate: '2026-08-22', compatibilityFlags: ['enable_request_signal'] };

export function workerSetups(
  folder: string,
  bundle: WorkerBundle,
  upstreamUrl: string,
): Readonly<Record<WorkerName, WorkerSetup>> {
  return {
    gateway: {
      folder: bundle.folder,
      config: {
        ...COMPATIBILITY,
        modules: bundle.modules,
        assetsFolder: fileURLToPath(new URL('../../public', import.meta.url)),
        bindings: {
          ENVIRONMENT: 'local',
          LOG_LEVEL: 'info',
          AWS_REGION: 'us-east-1',
          AWS_ACCESS_KEY_ID: 'AKIABENCHMARKONLY000',
          AWS_SECRET_ACCESS_KEY: 'only-to-pay-for-signing',
          LAMBDA_FUNCTION_URL: upstreamUrl,
          SAGEMAKER_ENDPOINT_NAME: 'large',
          SAGEMAKER_BASE_URL: upstreamUrl,
        },
      },
    },
    bare: scriptSetup(join(folder, 'bare'), BARE_WORKER, {}),
    parse_fetch: scriptSetup(join(folder, 'parse-fetch'), PARSE_FETCH_WORKER, { UPSTREAM_URL: upstreamUrl }),
  };
}

function scriptSetup(folder: string, script: string, bindings: Readonly<Record<string, string>>): WorkerSetup {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.js'), script);
  return { folder, config: { ...COMPATIBILITY, modules: [{ name: 'index.js', kind: 'esModule' }], bindings } };
}
