/**
 * How much of a place's capacity is in use, from CloudWatch: 0 to 1, null where it says nothing. One request a look.
 */
import type { TargetSpec } from '../../shared/schema/config.ts';
import type { AwsCaller } from '../lib/aws-call.ts';
import * as z from 'zod';

/** @param variantName of an endpoint, under which its metrics are */
export type ReadLoad = (target: TargetSpec, variantName?: string) => Promise<number | null>;

export type LoadOptions = {
  readonly aws: AwsCaller;
  /** CloudWatch's address; only for a stand-in. */
  readonly endpoint?: string | undefined;
  /** Of the function behind the lambda target; without it its load is not known. */
  readonly functionName: string | undefined;
  /** Its reserved concurrency, or what it may use of the account's. */
  readonly functionConcurrency: number;
  /** What was read before, kept by whoever lives longer than one look: each metric read is paid for. */
  readonly remembered: Map<string, { readonly ratio: number | null; readonly readAtMs: number }>;
  readonly nowMs: () => number;
};

const WINDOW_MS = 300_000;
const FRESH_MS = 600_000;
const answerSchema = z.object({
  MetricDataResults: z.array(z.object({ Values: z.array(z.number()).optional() })),
});

export function createReadLoad(options: LoadOptions): ReadLoad {
  return async (target, variantName) => {
    const metric = metricOf(target, variantName, options);
    if (metric === undefined) return null;
    const nowMs = options.nowMs();
    const known = options.remembered.get(target.id);
    if (known !== undefined && nowMs - known.readAtMs < FRESH_MS) return known.ratio;
    const answer = await options.aws.operation({
      service: 'monitoring',
      region: target.region,
      url: options.endpoint ?? `https://monitoring.${target.region}.amazonaws.com/`,
      target: 'GraniteServiceVersion20100801.GetMetricData',
      version: '1.0',
      input: {
        StartTime: (nowMs - WINDOW_MS) / 1_000,
        EndTime: nowMs / 1_000,
        ScanBy: 'TimestampDescending',
        MetricDataQueries: [
          {
            Id: 'load',
            MetricStat: {
              Metric: { Namespace: metric.namespace, MetricName: metric.name, Dimensions: metric.dimensions },
              Period: 60,
              Stat: 'Maximum',
            },
          },
        ],
      },
    });
    const newest = answerSchema.parse(answer).MetricDataResults[0]?.Values?.[0];
    const ratio = newest === undefined ? null : Math.min(1, Math.max(0, newest / metric.full));
    options.remembered.set(target.id, { ratio, readAtMs: nowMs });
    return ratio;
  };
}

type Metric = {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: readonly { readonly Name: string; readonly Value: string }[];
  /** The value at which nothing is left. */
  readonly full: number;
};

function metricOf({ endpoint }: TargetSpec, variantName: string | undefined, options: LoadOptions): Metric | undefined {
  if (endpoint.kind === 'lambda' && options.functionName !== undefined) {
    return {
      namespace: 'AWS/Lambda',
      name: 'ConcurrentExecutions',
      dimensions: [{ Name: 'FunctionName', Value: options.functionName }],
      full: options.functionConcurrency,
    };
  }
  if (endpoint.kind === 'sagemaker' && endpoint.endpoint_name !== null && variantName !== undefined) {
    return {
      namespace: 'AWS/SageMaker',
      name: 'ServerlessConcurrentExecutionsUtilization',
      dimensions: [
        { Name: 'EndpointName', Value: endpoint.endpoint_name },
        { Name: 'VariantName', Value: variantName },
      ],
      full: 1,
    };
  }
  return undefined;
}
