/**
 * The model server's environment, parsed once when the process starts. Owns names, defaults and bounds.
 */
import { join, resolve } from 'node:path';
import * as z from 'zod';

const list = z
  .string()
  .transform((value) => value.split(',').map((name) => name.trim()))
  .pipe(
    z.array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be a comma-separated list of variant names')).min(1),
  );

const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const envSchema = z.object({
  /** Folder with one folder a model. SageMaker unpacks ModelDataUrl into /opt/ml/model: point it there to replace the image's models. */
  MODEL_DIR: z.string().min(1).optional(),
  /** Such as `base` or `base,large`; every ONNX variant of every card when unset. */
  MODEL_VARIANTS: list.optional(),
  ORT_INTRA_OP_THREADS: count(1, 256).default(1),
  /** Requests accepted at once; the next is refused as overloaded. */
  MODEL_MAX_IN_FLIGHT: count(1, 10_000).default(64),
  SAGEMAKER_BIND_TO_PORT: count(0, 65_535).default(8080),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Set by Lambda: where the package is unpacked. */
  LAMBDA_TASK_ROOT: z.string().min(1).optional(),
});

export type LogLevel = z.infer<typeof envSchema>['LOG_LEVEL'];

export type Env = {
  readonly modelDir: string;
  readonly variants: readonly string[] | undefined;
  readonly intraOpThreads: number;
  readonly maxInFlight: number;
  readonly port: number;
  readonly logLevel: LogLevel;
};

class EnvError extends Error {
  override readonly name = 'EnvError';
}

/** An empty value counts as unset, as in a `.env` file copied from the example. */
export function parseEnv(source: Readonly<Record<string, string | undefined>>): Env {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = envSchema.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new EnvError(`The environment is not usable. ${problems.join('; ')}`);
  }
  const env = parsed.data;
  return {
    modelDir: resolve(env.MODEL_DIR ?? join(env.LAMBDA_TASK_ROOT ?? '.', 'models')),
    variants: env.MODEL_VARIANTS,
    intraOpThreads: env.ORT_INTRA_OP_THREADS,
    maxInFlight: env.MODEL_MAX_IN_FLIGHT,
    port: env.SAGEMAKER_BIND_TO_PORT,
    logLevel: env.LOG_LEVEL,
  };
}
