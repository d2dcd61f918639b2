/**
 * The worker's bindings, parsed once per isolate. Everything is optional: with nothing set the worker serves its edge
 * variants from the embedded configuration. A value that is set and wrong is an error that names it.
 */
import * as z from 'zod';

const optionalText = z
  .string()
  .transform((value) => (value.trim() === '' ? undefined : value.trim()))
  .optional();
const optionalUrl = optionalText.pipe(z.url().optional());

const envSchema = z.object({
  ENVIRONMENT: optionalText.transform((value) => value ?? 'local'),
  LOG_LEVEL: optionalText
    .pipe(z.enum(['debug', 'info', 'warn', 'error']).optional())
    .transform((value) => value ?? 'info'),
  /** One key asked of every caller, beside those of the configuration. */
  API_KEY: optionalText,
  AWS_REGION: optionalText.transform((value) => value ?? 'us-east-1'),
  AWS_ACCESS_KEY_ID: optionalText,
  AWS_SECRET_ACCESS_KEY: optionalText,
  AWS_SESSION_TOKEN: optionalText,
  /** DynamoDB's endpoint; without it, the region's own where TABLE_NAME is set. */
  DATABASE_URL: optionalUrl,
  TABLE_NAME: optionalText,
  LAMBDA_FUNCTION_URL: optionalUrl,
  SAGEMAKER_ENDPOINT_NAME: optionalText,
  SAGEMAKER_BASE_URL: optionalUrl,
  METRICS_SHARDS: z.coerce.number().int().min(1).max(64).default(4),
});

export type WorkerEnv = z.infer<typeof envSchema>;

export function parseEnv(bindings: unknown): WorkerEnv {
  const parsed = envSchema.safeParse(bindings);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`The worker's environment is not usable: ${problems.join('; ')}`);
}
