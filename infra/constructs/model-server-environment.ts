/**
 * The environment that the model server reads, the same in Lambda and in SageMaker's container. The server's own schema
 * (lambdas/lib/env.ts) has the defaults; a test passes what is written here through it.
 */

/** Lambda gives one vCPU for so many MB. */
const MB_PER_VCPU = 1_769;
/** Where SageMaker unpacks ModelDataUrl. */
const SAGEMAKER_MODEL_DIR = '/opt/ml/model';

export function functionEnvironment(variants: readonly string[], memoryMb: number): Record<string, string> {
  const threads = Math.max(1, Math.floor(memoryMb / MB_PER_VCPU));
  return { MODEL_VARIANTS: variants.join(','), ORT_INTRA_OP_THREADS: String(threads), LOG_LEVEL: 'info' };
}

/** @param hasArchive the models come from the bucket, not from the image */
export function endpointEnvironment(variants: readonly string[], hasArchive: boolean): Record<string, string> {
  return {
    MODEL_VARIANTS: variants.join(','),
    LOG_LEVEL: 'info',
    ...(hasArchive ? { MODEL_DIR: SAGEMAKER_MODEL_DIR } : {}),
  };
}
