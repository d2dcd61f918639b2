/**
 * A SageMaker endpoint by its description, which costs nothing and starts nothing.
 */
import * as z from 'zod';
import { AwsError, type AwsCaller } from '../lib/aws-call.ts';

const describedSchema = z.object({
  EndpointStatus: z.string(),
  ProductionVariants: z
    .array(
      z.object({
        VariantName: z.string().optional(),
        CurrentInstanceCount: z.number().optional(),
        CurrentServerlessConfig: z.unknown().optional(),
      }),
    )
    .optional(),
});

/** While it is updated or rolled back the old version goes on answering. */
const SERVING = new Set(['InService', 'Updating', 'SystemUpdating', 'RollingBack']);

/** AWS's word for an endpoint that does not exist. */
const NO_ENDPOINT = 'ValidationException';

export type EndpointLook = {
  readonly health: 'up' | 'scaled_to_zero' | 'down';
  readonly latencyMs: null;
  readonly detail: string;
  /** Under which its metrics are. */
  readonly variantName?: string | undefined;
};

/**
 * Undefined where AWS does not tell: that the probe may not ask, or asked too often, says nothing of the endpoint.
 * @param baseUrl of a stand-in, which answers both of SageMaker's faces; null: AWS
 */
export async function describeEndpoint(
  aws: AwsCaller,
  region: string,
  name: string,
  baseUrl: string | null,
): Promise<EndpointLook | undefined> {
  let answer: unknown;
  try {
    answer = await aws.operation({
      service: 'sagemaker',
      region,
      url: baseUrl ?? `https://api.sagemaker.${region}.amazonaws.com/`,
      target: 'SageMaker.DescribeEndpoint',
      version: '1.1',
      input: { EndpointName: name },
    });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    if (error.code !== NO_ENDPOINT) return undefined;
    return { health: 'down', latencyMs: null, detail: `cannot be described: ${error.code}` };
  }
  const { EndpointStatus: status, ProductionVariants: variants = [] } = describedSchema.parse(answer);
  const detail = `the endpoint is ${status}`;
  if (!SERVING.has(status)) return { health: 'down', latencyMs: null, detail };
  const counted = variants.filter((variant) => variant.CurrentServerlessConfig === undefined);
  const isEmpty = counted.length > 0 && counted.every((variant) => variant.CurrentInstanceCount === 0);
  const variantName = variants[0]?.VariantName;
  return { health: isEmpty ? 'scaled_to_zero' : 'up', latencyMs: null, detail, variantName };
}
