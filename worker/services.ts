/**
 * Composition root: the only file that constructs adapters. One set of services per isolate.
 */
import { waitUntil } from 'cloudflare:workers';
import relaxedKernels from './engine/kernels-relaxed.wasm';
import kernels from './engine/kernels.wasm';
import type { Item } from '../shared/config/config-items.ts';
import { reportAttributes } from '../shared/control/isolate-report.ts';
import { defaultConfig } from '../shared/config/default-config.ts';
import { DIFFICULTY_FILE } from '../shared/difficulty/difficulty-file.ts';
import type { Config, TargetSpec } from '../shared/schema/config.ts';
import type { OnnxWorker } from '../shared/schema/onnx-call.ts';
import { BUNDLED_WEIGHTS } from './edge-models.ts';
import { createEngine } from './engine/engine.ts';
import { createModelPool } from './engine/model-pool.ts';
import { createDevices } from './devices/directory.ts';
import { createHubs, type Hubs } from './devices/hubs.ts';
import { parseEnv, type WorkerEnv } from './env.ts';
import { IsolateState } from './isolate-state.ts';
import { secretFrom } from './secret-from.ts';
import { createLogger } from './logger.ts';
import { sha256Hex } from './pipeline/identify.ts';
import { createAnswerCache } from './pipeline/lookup.ts';
import type { Services } from './pipeline/services.ts';
import type { StoredAnswer } from './pipeline/stored-answer.ts';
import { MODEL_CARDS } from './model-cards.ts';
import type { Clock, ConfigStatus, Logger, Target } from './ports.ts';
import { createCacheApi } from './store/cache-api.ts';
import { createConfigKeeper } from './store/config-keeper.ts';
import { createDynamoClient, type DynamoClient } from './store/dynamodb-client.ts';
import { createDifficultyKeeper } from './store/difficulty-keeper.ts';
import { createGuardKeeper } from './store/guard-keeper.ts';
import { storedConfig, storedGuard } from './store/lazy-stores.ts';
import { createLruCache } from './store/lru-cache.ts';
import { createDynamoMetricsStore } from './store/metrics-store.ts';
import { openBatches } from './store/open-batches.ts';
import { createRecordSink } from './store/record-sink.ts';
import { createStatusKeeper } from './store/status-keeper.ts';
import type { CredentialsSource } from './aws/credentials.ts';
import { createWorkerCredentials } from './aws/worker-credentials.ts';
import { createWeightsReader } from './store/weights.ts';
import { createEdgeTarget } from './targets/edge.ts';
import { createEdgeOnnxTarget } from './targets/edge-onnx.ts';
import { createGpuTarget } from './targets/gpu.ts';
import { createLambdaTarget } from './targets/lambda.ts';
import { createOtlpExporter, parseOtlpHeaders, type OtlpExporter } from './otlp/exporter.ts';
import { withExporter } from './otlp/with-exporter.ts';
import { createMcuTarget } from './targets/mcu.ts';
import { createModelShelf, type ModelShelf } from './targets/model-shelf.ts';
import { createSageMakerTarget } from './targets/sagemaker.ts';

/** In force everywhere within 30 s of a publish: refreshed every 10 s, with room for one failed look. */
const CONFIG_REFRESH_MS = 10_000;
const LOCAL_CACHE_BYTES = 8 * 1024 * 1024;

let shared: Services | undefined;

/** One set for the isolate: requests and the device hubs that live in it see the same breakers, caches and configuration. */
export function servicesOnce(bindings: unknown): Services {
  shared ??= createServices(bindings);
  return shared;
}

function createServices(bindings: unknown): Services {
  const env = parseEnv(bindings);
  const clock: Clock = { now: () => Date.now() };
  const random = () => Math.random();
  const logger = createLogger(clock, env.LOG_LEVEL, (line) => console.log(line));
  const hubs = env.DEVICES && createHubs(env.DEVICES);
  const isolateId = crypto.randomUUID();
  const credentials = createWorkerCredentials(env, {
    clock,
    random,
    isolateId,
    keepAlive: (work) => waitUntil(work),
    onFailure: (detail) => logger.log('warn', 'no AWS credentials could be had', '', { detail }),
  });
  const table = tableFrom(env, credentials, clock, logger);
  const batches = openBatches(env, table, credentials, clock);
  const state = new IsolateState();
  const metricsStore =
    table &&
    createDynamoMetricsStore({
      client: table,
      shards: env.METRICS_SHARDS,
      describeIsolate: () => isolateReport(config.status(), state.place, clock),
    });
  const windows = createRecordSink({
    store: metricsStore,
    clock,
    random,
    isolateId,
    onFailure: (error) => logger.log('warn', 'a metrics window could not be put', '', { detail: messageOf(error) }),
  });
  const exporter = exporterFrom(env, isolateId, clock, logger);
  const sink = exporter === undefined ? windows : withExporter(windows, exporter);
  const statuses =
    table &&
    createStatusKeeper({
      client: table,
      clock,
      reported: (seen) => state.reported(seen),
      onFailure: (error) => logger.log('warn', 'resource status is not readable', '', { detail: messageOf(error) }),
    });
  const config = createConfigKeeper({
    store: table && storedConfig(table, env.ENVIRONMENT),
    embedded: embeddedConfig(env),
    clock,
    random,
    refreshMs: CONFIG_REFRESH_MS,
    onFailure: (error) => logger.log('warn', 'configuration refresh failed', '', { detail: messageOf(error) }),
    afterLook: async (loaded, isChanged) => {
      // Whoever published wants to know where it is in force: once a publish, with the window that is open anyway.
      if (isChanged) await sink.flush(true);
      await statuses?.refresh(loaded);
    },
  });
  return {
    clock,
    random,
    newRequestId: () => crypto.randomUUID(),
    graphqlIntrospection: env.GRAPHQL_INTROSPECTION === 'on',
    traceSampleRatio: exporter === undefined ? 0 : env.OTLP_SAMPLE_RATIO,
    logger,
    config,
    access: {
      deploymentKeySha256: env.API_KEY === undefined ? undefined : sha256Hex(env.API_KEY),
      waitForStoredConfig: table !== undefined && env.ENVIRONMENT !== 'local',
      batchTenantOf: batches && ((token) => batches.tenantOf(token)),
    },
    state,
    targetsOf: targetsFactory(
      clock,
      credentials,
      shelfFrom(env, clock, logger),
      env.ORT,
      (name) => secretFrom(bindings, name),
      hubs,
    ),
    cache: createAnswerCache(
      createLruCache<StoredAnswer>(LOCAL_CACHE_BYTES),
      createCacheApi({ open: () => caches.default }),
      clock,
    ),
    difficulty: createDifficultyKeeper({
      read: () => createWeightsReader({ bundled: {}, assets: env.ASSETS, bucket: undefined })(DIFFICULTY_FILE),
      clock,
      onFailure: (error) =>
        logger.log('warn', 'the difficulty estimate cannot be read', '', { detail: messageOf(error) }),
    }),
    guard: createGuardKeeper({
      store: table && storedGuard(table),
      clock,
      random,
      isolateId,
      onFailure: (error) => logger.log('warn', 'the guarantee store failed', '', { detail: messageOf(error) }),
    }),
    sink,
    metricsStore,
    devices: createDevices(hubs),
    batches: batches?.store,
  };
}

function exporterFrom(env: WorkerEnv, instance: string, clock: Clock, logger: Logger): OtlpExporter | undefined {
  if (env.OTLP_ENDPOINT === undefined) return undefined;
  return createOtlpExporter({
    endpoint: env.OTLP_ENDPOINT,
    headers: parseOtlpHeaders(env.OTLP_HEADERS),
    service: { name: 'hybrid-inference', environment: env.ENVIRONMENT, instance },
    clock,
    onFailure: (detail) => logger.log('warn', 'telemetry could not be exported', '', { detail }),
  });
}

function isolateReport(status: ConfigStatus, place: string, clock: Clock): Item {
  return reportAttributes({
    place,
    configVersion: status.version,
    inForceSinceMs: status.inForceSinceMs,
    reportedAtMs: clock.now(),
    problem: status.lastError,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function embeddedConfig(env: WorkerEnv): Config {
  return defaultConfig(MODEL_CARDS, {
    region: env.AWS_REGION,
    lambdaFunctionUrl: env.LAMBDA_FUNCTION_URL ?? null,
    sagemakerEndpointName: env.SAGEMAKER_ENDPOINT_NAME ?? null,
    sagemakerBaseUrl: env.SAGEMAKER_BASE_URL ?? null,
  });
}

function tableFrom(
  env: WorkerEnv,
  credentials: CredentialsSource | undefined,
  clock: Clock,
  logger: Logger,
): DynamoClient | undefined {
  if (env.TABLE_NAME === undefined) return undefined;
  if (credentials === undefined) {
    logger.log(
      'warn',
      'a table is configured but no AWS credentials are: the embedded configuration stays in force',
      '',
    );
    return undefined;
  }
  return createDynamoClient({
    table: env.TABLE_NAME,
    region: env.AWS_REGION,
    endpoint: env.DATABASE_URL,
    credentials,
    clock,
  });
}

/** One budget of memory for every model of the isolate, whatever configuration names it. */
function shelfFrom(env: WorkerEnv, clock: Clock, logger: Logger): ModelShelf {
  return createModelShelf({
    pool: createModelPool(createEngine({ wasm: kernels, relaxedWasm: relaxedKernels })),
    read: createWeightsReader({ bundled: BUNDLED_WEIGHTS, assets: env.ASSETS, bucket: env.WEIGHTS }),
    clock,
    keepAlive: waitUntil,
    onFailure: (failure) => logger.log('error', 'a model could not be loaded', '', { ...failure }),
  });
}

/** Targets are made once per configuration; engine models are shared by all of them and loaded on first use. */
function targetsFactory(
  clock: Clock,
  credentials: CredentialsSource | undefined,
  shelf: ModelShelf,
  onnxWorker: OnnxWorker | undefined,
  secretOf: (name: string) => string | undefined,
  hubs: Hubs | undefined,
): Services['targetsOf'] {
  const made = new WeakMap<Config, ReadonlyMap<string, Target>>();

  function create(spec: TargetSpec, models: Config['models']): Target {
    switch (spec.endpoint.kind) {
      case 'edge':
        return spec.endpoint.runtime === 'onnx'
          ? createEdgeOnnxTarget({ spec, clock, worker: onnxWorker })
          : createEdgeTarget({ spec, models, clock, shelf });
      case 'lambda':
        return createLambdaTarget({ spec, clock, credentials });
      case 'sagemaker':
        return createSageMakerTarget({ spec, clock, credentials });
      case 'gpu':
        return createGpuTarget({ spec, clock, secretOf });
      case 'mcu':
        return createMcuTarget({ spec, clock, hubs });
    }
  }

  return (config) => {
    let targets = made.get(config);
    if (targets === undefined) {
      targets = new Map(config.targets.map((spec) => [spec.id, create(spec, config.models)]));
      made.set(config, targets);
    }
    return targets;
  };
}
