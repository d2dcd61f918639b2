/**
 * The whole product on this machine: embedded DynamoDB, stand-ins for STS, and for Lambda and SageMaker over the real model
 * server, the real worker in workerd, one published configuration. Owns order of start and stop.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { openControlTable } from '../cli/control/control-table.ts';
import { makeDevices, preferDevices, withDevices, type LocalDevice } from './devices/device-pool.ts';
import { startConnectedDevices, type Devices } from './devices/start-devices.ts';
import { publishConfig } from '../cli/control/publish-config.ts';
import { defaultConfig } from '../shared/config/default-config.ts';
import type { Config } from '../shared/schema/config.ts';
import { ECHO_ENDPOINT, withEcho } from './chat/echo-model.ts';
import { startDynamoDb, type DynamoDb } from './aws/dynamodb.ts';
import { startLambda, type Lambda } from './aws/lambda.ts';
import { startSageMaker, type SageMaker } from './aws/sagemaker.ts';
import { roleArn, startSts, type Sts } from './aws/sts.ts';
import { startBatches, type LocalBatches } from './batches.ts';
import { REPOSITORY_ROOT } from './bundle-worker.ts';
import { startGpuServer } from './gpu/gpu-server.ts';
import { withGpu } from './gpu/gpu-target.ts';
import { startIdentityHost, type IdentityHost } from './identity-host.ts';
import { createIdentityKeyPair, type IdentityKeyPair } from './identity-keys.ts';
import type { FindKey, KnownKey } from './sigv4.ts';
import { readCards } from './read-cards.ts';
import { startProbeTimer } from './probe-timer.ts';
import { startRollupTimer } from './rollup-timer.ts';
import { startWorker, type LocalWorker } from './worker.ts';

export const LOCAL_REGION = 'us-east-1';
export const LOCAL_TABLE = 'hybrid-inference-local';
export const LOCAL_ENVIRONMENT = 'local';
const ENDPOINT_NAME = 'hybrid-inference-large';
/** Each is a process with the model loaded. */
const LAMBDA_CONCURRENCY = 4;
/** AWS's schedule has two minutes; a person who looks at a stack waits less. */
const PROBE_EVERY_MS = 15_000;
/** AWS's schedule has five minutes. */
const ROLLUP_EVERY_MS = 60_000;
const METRICS_SHARDS = 1;
const FUNCTION_NAME = 'hybrid-inference-base';
const ROLE_NAME = 'hybrid-inference-local-worker';
const IDENTITY = { audience: 'sts.amazonaws.com', subject: ROLE_NAME };

export type StackOptions = {
  /** 0 takes any free port. */
  readonly port: number;
  readonly apiKey?: string | undefined;
  /** Also a server of the Open Inference Protocol as a `gpu` target. */
  readonly gpu?: boolean;
  /** How many microcontrollers to simulate, each with a connection of its own. */
  readonly devices?: number;
  /** How long the echo takes over a word; default as it pleases. */
  readonly echoWordMs?: number;
  /** Changes the default configuration before it is published. */
  readonly configure?: (config: Config) => Config;
  /** Models with their cards; without it, the shipped ones. */
  readonly modelsFolder?: string | undefined;
  /** As startWorker takes it. */
  readonly assetsFolder?: string | undefined;
  /** More of the worker's variables. */
  readonly bindings?: Readonly<Record<string, string>>;
  readonly onWorkerLine?: (line: string) => void;
  readonly onServerLine?: (line: string) => void;
};

export type Stack = {
  readonly url: string;
  readonly dynamodb: DynamoDb;
  readonly lambda: Lambda;
  readonly sagemaker: SageMaker;
  readonly batches: LocalBatches;
  readonly sts: Sts;
  readonly identityHost: IdentityHost;
  readonly worker: LocalWorker;
  /** Undefined where none were asked for. */
  readonly devices: Devices | undefined;
  /** Of the same pool, let in and not simulated: for whoever wants to run one. */
  readonly spareDevice: LocalDevice | undefined;
  /** An operator's; the worker has none, it asks STS. */
  readonly credentials: KnownKey;
  /** The configuration that was published. */
  readonly config: Config;
  publish(config: Config): Promise<number>;
  close(): Promise<void>;
};

export async function startStack(options: StackOptions): Promise<Stack> {
  const credentials = localCredentials();
  const opened: { close(): Promise<void> }[] = [];
  const close = async () => {
    await Promise.allSettled(opened.splice(0).map((piece) => piece.close()));
  };
  const opening = <T extends { close(): Promise<void> }>(piece: T): T => {
    opened.push(piece);
    return piece;
  };
  const serverLines = options.onServerLine === undefined ? {} : { onLine: options.onServerLine };
  try {
    const identity = createIdentityKeyPair('ES256');
    const identityHost = opening(await startIdentityHost([identity.publicKey]));
    const sts = opening(
      await startSts({
        providers: [{ issuer: identityHost.issuer, clientIds: [IDENTITY.audience] }],
        roles: [{ ...IDENTITY, name: ROLE_NAME, issuer: identityHost.issuer, maxSessionSeconds: 3_600 }],
      }),
    );
    const findKey: FindKey = (id) => (id === credentials.accessKeyId ? credentials : sts.findKey(id));
    const [dynamodb, lambda, sagemaker, echo, gpu] = await Promise.all([
      startDynamoDb({ region: LOCAL_REGION, tableName: LOCAL_TABLE, findKey, adminKey: credentials }).then(opening),
      startLambda({
        region: LOCAL_REGION,
        findKey,
        functionName: FUNCTION_NAME,
        handlerFile: join(REPOSITORY_ROOT, 'lambdas/infer/handler.ts'),
        concurrency: LAMBDA_CONCURRENCY,
        environment: { MODEL_DIR: join(REPOSITORY_ROOT, 'models'), MODEL_VARIANTS: 'base' },
        ...serverLines,
      }).then(opening),
      startSageMaker({
        region: LOCAL_REGION,
        findKey,
        endpointName: ENDPOINT_NAME,
        containerFile: join(REPOSITORY_ROOT, 'lambdas/infer/container.ts'),
        environment: { MODEL_DIR: join(REPOSITORY_ROOT, 'models'), MODEL_VARIANTS: 'large' },
        ...serverLines,
      }).then(opening),
      startSageMaker({
        region: LOCAL_REGION,
        findKey,
        endpointName: ECHO_ENDPOINT,
        containerFile: join(REPOSITORY_ROOT, 'local/chat/echo-container.ts'),
        ...(options.echoWordMs === undefined ? {} : { environment: { ECHO_WORD_MS: String(options.echoWordMs) } }),
        ...serverLines,
      }).then(opening),
      options.gpu === true ? startGpuServer(options.onServerLine).then(opening) : undefined,
    ]);
    const client = new DynamoDBClient({ endpoint: dynamodb.url, region: LOCAL_REGION, credentials });
    opened.push({ close: () => Promise.resolve(client.destroy()) });
    const cloudConfig = defaultConfig(await readCards(options.modelsFolder ?? join(REPOSITORY_ROOT, 'models')), {
      region: LOCAL_REGION,
      lambdaFunctionUrl: lambda.functionUrl,
      sagemakerEndpointName: ENDPOINT_NAME,
      sagemakerBaseUrl: sagemaker.url,
    });
    const withChat = withEcho(cloudConfig, LOCAL_REGION, echo.url);
    const withServer = gpu === undefined ? withChat : withGpu(withChat, gpu.url);
    const simulated = options.devices === undefined ? [] : makeDevices(options.devices + 1);
    const localConfig = simulated.length === 0 ? withServer : preferDevices(withDevices(withServer, simulated));
    const config = options.configure?.(localConfig) ?? localConfig;
    const table = openControlTable(client, LOCAL_TABLE);
    const publish = async (value: Config) =>
      (await publishConfig(table, LOCAL_ENVIRONMENT, { value, by: 'npm start', nowMs: Date.now() })).version;
    await dynamodb.waitUntilReady();
    await publish(config);
    const batches = opening(
      await startBatches({
        region: LOCAL_REGION,
        findKey,
        key: credentials,
        databaseUrl: dynamodb.url,
        table: LOCAL_TABLE,
        ...serverLines,
      }),
    );
    const [worker] = await Promise.all([
      startWorker({
        port: options.port,
        bindings: {
          ...workerBindings(dynamodb.url, options.apiKey),
          ...options.bindings,
          ...identityBindings(identity, identityHost.issuer, sts.url),
          BATCH_BUCKET: batches.bucket,
          BATCH_QUEUE_URL: batches.queue.queueUrl,
          BATCH_KEY: randomBytes(32).toString('hex'),
          S3_URL: batches.s3.url,
        },
        onnx: config.targets.some(({ endpoint }) => endpoint.kind === 'edge' && endpoint.runtime === 'onnx'),
        modelsFolder: options.modelsFolder,
        assetsFolder: options.assetsFolder,
        onLine: options.onWorkerLine ?? (() => undefined),
      }).then(opening),
      lambda.waitUntilReady(),
      sagemaker.waitUntilReady(),
      echo.waitUntilReady(),
    ]);
    const devices =
      simulated.length === 0
        ? undefined
        : opening(await startConnectedDevices({ url: worker.url, devices: simulated.slice(0, -1), client: 'auto' }));
    opening(
      startProbeTimer({
        identity: credentials,
        region: LOCAL_REGION,
        databaseUrl: dynamodb.url,
        table: LOCAL_TABLE,
        environment: LOCAL_ENVIRONMENT,
        everyMs: PROBE_EVERY_MS,
      }),
    );
    opening(
      startRollupTimer({
        identity: credentials,
        region: LOCAL_REGION,
        databaseUrl: dynamodb.url,
        table: LOCAL_TABLE,
        shards: METRICS_SHARDS,
        environment: LOCAL_ENVIRONMENT,
        everyMs: ROLLUP_EVERY_MS,
        onLine: options.onServerLine ?? (() => undefined),
      }),
    );
    return {
      url: worker.url,
      dynamodb,
      lambda,
      sagemaker,
      batches,
      sts,
      identityHost,
      worker,
      devices,
      spareDevice: simulated.at(-1),
      credentials,
      config,
      publish,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Made anew at each start: nothing on disk, nothing to leak. */
function localCredentials(): KnownKey {
  return {
    accessKeyId: `AKIALOCAL${randomBytes(6).toString('hex').toUpperCase().slice(0, 11)}`,
    secretAccessKey: randomBytes(30).toString('base64'),
  };
}

function workerBindings(databaseUrl: string, apiKey: string | undefined): Record<string, string> {
  return {
    ENVIRONMENT: LOCAL_ENVIRONMENT,
    AWS_REGION: LOCAL_REGION,
    DATABASE_URL: databaseUrl,
    TABLE_NAME: LOCAL_TABLE,
    METRICS_SHARDS: String(METRICS_SHARDS),
    ...(apiKey === undefined ? {} : { API_KEY: apiKey }),
  };
}

/** As deployed: a key of its own, and a role that trusts it. No AWS key. */
function identityBindings({ privateJwk }: IdentityKeyPair, issuer: string, stsUrl: string): Record<string, string> {
  return {
    AWS_ROLE_ARN: roleArn(ROLE_NAME),
    IDENTITY_KEY: JSON.stringify(privateJwk),
    IDENTITY_ISSUER: issuer,
    IDENTITY_SUBJECT: IDENTITY.subject,
    IDENTITY_AUDIENCE: IDENTITY.audience,
    STS_URL: stsUrl,
  };
}
