/**
 * What a deployment may choose, as one object under the CDK context key `hybrid`: shape, bounds, defaults, errors.
 * Strict, so that a misspelt setting stops the synth instead of being ignored. Owns no AWS resource.
 */
import { readFileSync } from 'node:fs';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import * as z from 'zod';
import { issuePath } from '../shared/schema/issue-path.ts';

export const SETTINGS_CONTEXT_KEY = 'hybrid';

const SERVERLESS_MEMORY_MB = [1024, 2048, 3072, 4096, 5120, 6144];
/** CloudFormation caps a stack name at 128, SageMaker an endpoint name at 63: name, environment and suffix must fit. */
const MAX_NAME_LENGTH = 28;

const label = z
  .string()
  .max(MAX_NAME_LENGTH, `must have at most ${MAX_NAME_LENGTH} characters`)
  .regex(/^[a-z](-?[a-z0-9])*$/, 'must be lower-case letters, digits and single dashes, starting with a letter');

function wholeNumber(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}`;
  return z.number(message).int(message).min(minimum, message).max(maximum, message);
}

function oneOf(allowed: readonly number[]) {
  return z.number().refine((value) => allowed.includes(value), `must be one of ${allowed.join(', ')}`);
}

/** The periods that CloudWatch Logs accepts, for ever not among them. */
const logRetentionDays = z
  .enum(RetentionDays, 'must be a period that CloudWatch Logs has, such as 7, 30, 90 or 365')
  .exclude(['INFINITE']);

const tableSchema = z.strictObject({
  /** How far back point-in-time recovery reaches. */
  recoveryDays: wholeNumber(1, 35).default(35),
  /** Ceilings of on-demand capacity, and so of its cost; without them DynamoDB's own limits hold. */
  maxReadUnits: wholeNumber(1, 40_000).optional(),
  maxWriteUnits: wholeNumber(1, 40_000).optional(),
  /** Partitions that a minute of metric flushes is spread over: METRICS_SHARDS of the worker, the same number. */
  metricsShards: wholeNumber(1, 64).default(4),
});

const functionSchema = z.strictObject({
  /** Variants packed into the function. */
  variants: z.array(z.string().min(1)).min(1, 'must name at least one variant').default(['base']),
  /** 1,769 MB is the share at which Lambda gives one whole vCPU. */
  memoryMb: wholeNumber(128, 10_240).default(1_769),
  timeoutSeconds: wholeNumber(1, 900).default(30),
  /** A ceiling on cost, taken out of the account's concurrency; new accounts may have too little to reserve any. */
  reservedConcurrency: wholeNumber(1, 10_000).optional(),
  /** Kept warm and paid for while idle. */
  provisionedConcurrency: wholeNumber(1, 1_000).optional(),
  logRetentionDays: logRetentionDays.default(RetentionDays.ONE_MONTH),
});

const serverlessSchema = z.strictObject({
  kind: z.literal('serverless'),
  memoryMb: oneOf(SERVERLESS_MEMORY_MB).default(3_072),
  maxConcurrency: wholeNumber(1, 200).default(5),
  provisionedConcurrency: wholeNumber(1, 200).optional(),
});

const instancesSchema = z
  .strictObject({
    kind: z.literal('instances'),
    instanceType: z.string().regex(/^ml\.[a-z0-9-]+\.[a-z0-9]+$/, 'must look like ml.c7i.large'),
    minInstances: wholeNumber(1, 100).default(1),
    maxInstances: wholeNumber(1, 100).default(2),
    /** Scaling keeps each instance near this many invocations a minute. */
    targetInvocationsPerMinute: wholeNumber(1, 100_000).default(600),
    /** Send this share of capacity to a new version first, and go back when its errors ring. */
    canary: z
      .strictObject({ percent: wholeNumber(1, 50).default(10), waitSeconds: wholeNumber(60, 3_600).default(300) })
      .optional(),
  })
  .refine((hosting) => hosting.minInstances <= hosting.maxInstances, {
    path: ['maxInstances'],
    message: 'must not be below minInstances',
  })
  .refine((hosting) => hosting.canary === undefined || hosting.minInstances > 1, {
    path: ['canary'],
    message: 'needs minInstances of 2 or more: a canary is at most half of the fleet',
  });

const endpointSchema = z.strictObject({
  /** Tag in the image repository. Without it no endpoint is made: a first deployment has no image yet. */
  imageTag: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'must be an image tag')
    .refine((tag) => tag !== 'latest', 'must name one image: tags are immutable, so "latest" could never move')
    .optional(),
  /** A tar.gz in the model bucket that SageMaker unpacks into the container; without it the image carries its models. */
  modelDataKey: z
    .string()
    .regex(/^[\w./-]+\.tar\.gz$/, 'must be the key of a .tar.gz')
    .optional(),
  variants: z.array(z.string().min(1)).min(1, 'must name at least one variant').default(['large']),
  hosting: z.discriminatedUnion('kind', [serverlessSchema, instancesSchema]).prefault({ kind: 'serverless' }),
  logRetentionDays: logRetentionDays.default(RetentionDays.ONE_MONTH),
});

const identitySchema = z.strictObject({
  /** HTTPS origin that serves the worker's signing keys. Without it only a policy is made, to attach to a user. */
  issuer: z
    .url({ protocol: /^https$/, message: 'must be an https URL' })
    .refine(
      (url) => !/[?#]|:\d/.test(url.slice('https://'.length)),
      'must have no port, query or fragment (IAM refuses them)',
    )
    .transform((url) => url.replace(/\/$/, ''))
    .optional(),
  audience: z.string().min(1).max(255).default('sts.amazonaws.com'),
  /** The `sub` of the worker's token; by default `<name>-<environment>-worker`. */
  subject: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^*?]+$/, 'must be exact: no * and no ?')
    .optional(),
});

const alarmsSchema = z.strictObject({
  /** Confirm the mail that SNS sends, or no alarm reaches you. */
  email: z.email('must be an e-mail address').optional(),
  errorRatio: z.number().gt(0, 'must be above 0').max(1, 'must be at most 1').default(0.05),
  functionP95Ms: wholeNumber(1, 900_000).default(1_000),
  endpointP95Ms: wholeNumber(1, 60_000).default(2_000),
  /** Of the gateway's own figures, all routes together; errorRatio holds for them too. */
  gatewayP95Ms: wholeNumber(1, 900_000).default(500),
  fallbackRatio: z.number().gt(0, 'must be above 0').max(1, 'must be at most 1').default(0.05),
  minEdgeRatio: z.number().min(0).lt(1, 'must be below 1').default(0.7),
  costPerInferenceUsd: z.number().positive('must be above 0').default(0.000005),
});

const budgetSchema = z.strictObject({
  monthlyUsd: z.number().positive('must be above 0').default(50),
  /**
   * `account` counts the whole account's bill. `tag` counts only resources tagged with this deployment's name, and stays
   * at zero until someone activates `project` as a cost allocation tag; so it is not the default.
   */
  scope: z.enum(['account', 'tag']).default('account'),
});

const settingsSchema = z
  .strictObject({
    name: label.default('hybrid-inference'),
    /** Which configuration the worker reads (`CFG#<environment>`), and part of every stack's name. */
    environment: label.default('production'),
    /** Without them the CLI's credentials decide. */
    account: z
      .string()
      .regex(/^\d{12}$/, 'must be a twelve-digit account id')
      .optional(),
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must look like eu-west-1')
      .optional(),
    /** Table, bucket and images outlive the stack and refuse deletion. Turn off only where the data may be lost. */
    protectData: z.boolean().default(true),
    table: tableSchema.prefault({}),
    function: functionSchema.prefault({}),
    endpoint: endpointSchema.prefault({}),
    identity: identitySchema.prefault({}),
    alarms: alarmsSchema.prefault({}),
    budget: budgetSchema.prefault({}),
  })
  .refine(({ function: fn }) => (fn.provisionedConcurrency ?? 0) <= (fn.reservedConcurrency ?? Infinity), {
    path: ['function', 'provisionedConcurrency'],
    message: 'must not be above reservedConcurrency',
  });

export type Settings = z.infer<typeof settingsSchema>;
export type FunctionSettings = Settings['function'];
export type EndpointSettings = Settings['endpoint'];
export type InstanceHosting = Extract<EndpointSettings['hosting'], { kind: 'instances' }>;

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * @param raw what CDK found under the context key: an object from cdk.json, or from `-c hybrid=...` a text, which is
 *   JSON when it starts with a brace and otherwise the path of a JSON file
 */
export function parseSettings(raw: unknown): Settings {
  const parsed = settingsSchema.safeParse(typeof raw === 'string' ? readText(raw) : (raw ?? {}));
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(
    (issue) => `  ${issuePath([SETTINGS_CONTEXT_KEY, ...issue.path])}: ${issueText(issue)}`,
  );
  throw new SettingsError(`The deployment's settings are not valid:\n${lines.join('\n')}`);
}

/** Prefix of every physical name. */
export function deploymentName(settings: Settings): string {
  return `${settings.name}-${settings.environment}`;
}

function readText(text: string): unknown {
  const isJson = text.trimStart().startsWith('{');
  try {
    return JSON.parse(isJson ? text : readFileSync(text, 'utf8'));
  } catch (cause) {
    const what = isJson ? 'the JSON given' : `the file ${text}`;
    throw new SettingsError(
      `Cannot read settings from ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function issueText(issue: z.core.$ZodIssue): string {
  return issue.code === 'unrecognized_keys' ? `has no setting called ${issue.keys.join(', ')}` : issue.message;
}
