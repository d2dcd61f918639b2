/**
 * The worker's bindings, parsed once per isolate. Everything is optional: with nothing set the worker serves its edge
 * variants from the embedded configuration. A value that is set and wrong is an error that names it.
 */
import * as z from 'zod/mini';
import type { OnnxWorker } from '../shared/schema/onnx-call.ts';
import type { AssetsBinding, BucketBinding } from './ports.ts';
import type { DeviceNamespace } from './devices/hub-port.ts';

/** An empty value counts as unset, as in a `.env` file copied from the example. */
const optionalText = z.pipe(
  z.optional(z.string('must be a text')),
  z.transform((value) => (value === undefined || value.trim() === '' ? undefined : value.trim())),
);
const optionalUrl = z.pipe(
  optionalText,
  z.optional(z.url({ protocol: /^https?$/, error: 'must be an http or https URL' })),
);
const textOr = (fallback: string) =>
  z.pipe(
    optionalText,
    z.transform((value) => value ?? fallback),
  );

/** A binding that is asked by `method`. */
const bound = <T>(method: string) =>
  z.optional(
    z.custom<T>(
      (value) => typeof value === 'object' && value !== null && method in value,
      `must be a binding with ${method}`,
    ),
  );

/** Of zod/mini, like every schema that a first answer waits for. */
const envSchema = z.object({
  ENVIRONMENT: textOr('local'),
  LOG_LEVEL: z.pipe(textOr('info'), z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')),
  /** One key asked of every caller, beside those of the configuration. */
  API_KEY: optionalText,
  AWS_REGION: textOr('us-east-1'),
  AWS_ACCESS_KEY_ID: optionalText,
  AWS_SECRET_ACCESS_KEY: optionalText,
  AWS_SESSION_TOKEN: optionalText,
  /** Credentials without keys: the role, and the worker's own identity that the role trusts. All four or none. */
  AWS_ROLE_ARN: optionalText,
  IDENTITY_KEY: optionalText,
  IDENTITY_ISSUER: optionalUrl,
  IDENTITY_SUBJECT: optionalText,
  IDENTITY_AUDIENCE: textOr('sts.amazonaws.com'),
  /** Only for a stand-in; otherwise the region's own. */
  STS_URL: optionalUrl,
  /** DynamoDB's endpoint; without it, the region's own where TABLE_NAME is set. */
  DATABASE_URL: optionalUrl,
  TABLE_NAME: optionalText,
  /** Batches: where lines are kept, the queue to whoever works through them, and what their tokens are made with. */
  BATCH_BUCKET: optionalText,
  BATCH_QUEUE_URL: optionalUrl,
  BATCH_KEY: z.pipe(optionalText, z.optional(z.string().check(z.minLength(32, 'must have at least 32 characters')))),
  /** Only for a stand-in; otherwise the region's own. */
  S3_URL: optionalUrl,
  LAMBDA_FUNCTION_URL: optionalUrl,
  SAGEMAKER_ENDPOINT_NAME: optionalText,
  SAGEMAKER_BASE_URL: optionalUrl,
  /** Static assets: weights of up to 25 MiB a file. */
  ASSETS: bound<AssetsBinding>('fetch'),
  /** R2: weights of any size. */
  WEIGHTS: bound<BucketBinding>('get'),
  /** The Durable Object namespace that devices dial into; without it, microcontrollers cannot be reached. */
  DEVICES: bound<DeviceNamespace>('idFromName'),
  /** ONNX Runtime's worker (worker/ort). */
  ORT: bound<OnnxWorker>('fetch'),
  /** Whether `/graphql` may be asked for its schema. */
  GRAPHQL_INTROSPECTION: z.pipe(textOr('on'), z.enum(['on', 'off'], 'must be on or off')),
  /** Base URL of an OpenTelemetry collector; `/v1/traces` and `/v1/metrics` are under it. */
  OTLP_ENDPOINT: optionalUrl,
  /** What it asks for: `name=value,name=value`. */
  OTLP_HEADERS: z.pipe(
    textOr(''),
    z.string().check(z.regex(/^([A-Za-z0-9-]+=[\x21-\x2b\x2d-\x7e ]+(,|$))*$/, 'must be name=value,name=value')),
  ),
  OTLP_SAMPLE_RATIO: z.pipe(
    z.pipe(
      textOr('0.01'),
      z.transform((value) => Number(value)),
    ),
    z.number('must be a number').check(z.minimum(0, 'must be at least 0'), z.maximum(1, 'must be at most 1')),
  ),
  METRICS_SHARDS: z.pipe(
    z.pipe(
      textOr('4'),
      z.transform((value) => Number(value)),
    ),
    z.int('must be a whole number').check(z.minimum(1, 'must be at least 1'), z.maximum(64, 'must be at most 64')),
  ),
});

export type WorkerEnv = z.infer<typeof envSchema>;

export function parseEnv(bindings: unknown): WorkerEnv {
  const parsed = envSchema.safeParse(bindings);
  const problems = parsed.success
    ? identityProblems(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  if (parsed.success && problems.length === 0) return parsed.data;
  throw new Error(`The worker's environment is not usable: ${problems.join('; ')}`);
}

const IDENTITY_NAMES = ['AWS_ROLE_ARN', 'IDENTITY_KEY', 'IDENTITY_ISSUER', 'IDENTITY_SUBJECT'] as const;

/** Half an identity would look like none, and the worker would quietly stay at the edge. */
function identityProblems(env: WorkerEnv): string[] {
  const missing = IDENTITY_NAMES.filter((name) => env[name] === undefined);
  if (missing.length === 0 || missing.length === IDENTITY_NAMES.length) return [];
  return missing.map((name) => `${name}: must be set too, because another part of the worker's identity is`);
}
