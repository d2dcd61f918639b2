/**
 * A SageMaker endpoint by its description, which costs nothing and starts nothing.
 */
import * as z from 'zod';
import { AwsError, type AwsCaller } from '../lib/aws-call.ts';

const describedSchema = z.object({
  EndpointStatus: z.string(),
  ProductionVariants: z
    .array(z.object({ CurrentInstanceCount: z.number().optional(), CurrentServerlessConfig: z.unknown().optional() }))
    .optional(),
});

/** While it is updated or rolled back the old version goes on answering. */
const SERVING = new Set(['InService', 'Updating', 'SystemUpdating', 'RollingBack']);

export type EndpointLook = {
  readonly health: 'up' | 'scaled_to_zero' | 'down';
  readonly latencyMs: null;
  readonly detail: string;
};

/** @param baseUrl of a stand-in, which answers both of SageMaker's faces; null: AWS */
export async function describeEndpoint(
  aws: AwsCaller,
  region: string,
  name: string,
  baseUrl: string | null,
): Promise<EndpointLook> {
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
    // AWS says ValidationException of an endpoint that does not exist.
    if (error instanceof AwsError)
      return { health: 'down', latencyMs: null, detail: `cannot be described: ${error.code}` };
    throw error;
  }
  const { EndpointStatus: status, ProductionVariants: variants = [] } = describedSchema.parse(answer);
  const detail = `the endpoint is ${status}`;
  if (!SERVING.has(status)) return { health: 'down', latencyMs: null, detail };
  const counted = variants.filter((variant) => variant.CurrentServerlessConfig === undefined);
  const isEmpty = counted.length > 0 && counted.every((variant) => variant.CurrentInstanceCount === 0);
  return { health: isEmpty ? 'scaled_to_zero' : 'up', latencyMs: null, detail };
}
