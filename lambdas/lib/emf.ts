/**
 * A log line that CloudWatch reads as metrics (embedded metric format): https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
 * Owns the form; which figures, and what they mean, is the caller's. Labels come from configuration, never from a request.
 */
import { METRICS_NAMESPACE } from '../../shared/names.ts';

export type EmfUnit = 'Count' | 'Milliseconds' | 'None';

export type EmfLine = {
  readonly timestampMs: number;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, { readonly value: number; readonly unit: EmfUnit }>>;
  /** In the line, but no metrics: for those who search the log. */
  readonly properties?: Readonly<Record<string, string | number | null>>;
};

/** Without metrics the fields alone, which CloudWatch keeps as a plain line. */
export function emfFields({
  timestampMs,
  dimensions,
  metrics,
  properties,
}: EmfLine): Readonly<Record<string, unknown>> {
  if (Object.keys(metrics).length === 0) return { ...properties, ...dimensions };
  return {
    ...properties,
    ...dimensions,
    ...Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value])),
    _aws: {
      Timestamp: timestampMs,
      CloudWatchMetrics: [
        {
          Namespace: METRICS_NAMESPACE,
          Dimensions: [Object.keys(dimensions)],
          Metrics: Object.entries(metrics).map(([Name, { unit }]) => ({ Name, Unit: unit })),
        },
      ],
    },
  };
}
