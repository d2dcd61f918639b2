/**
 * A local OpenTelemetry collector: takes OTLP/HTTP in JSON on its two paths, and refuses with 400 whatever is not of the form
 * that the protocol's JSON mapping prescribes (identifiers in hexadecimal, 64-bit numbers as texts, known enumerations).
 */
import * as z from 'zod';
import type { Fault } from '../../local/lib/fault.ts';
import { startHttpService } from '../../local/lib/http-service.ts';

const nanos = z.string().regex(/^\d{16,20}$/);
const int64 = z.string().regex(/^-?\d+$/);
const attribute = z.strictObject({
  key: z.string().min(1),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ intValue: int64 }),
    z.strictObject({ doubleValue: z.number() }),
    z.strictObject({ boolValue: z.boolean() }),
  ]),
});
const resource = z.strictObject({ attributes: z.array(attribute) });
const scope = z.strictObject({ name: z.string(), version: z.string().optional() });
const hex = (digits: number) => z.string().regex(new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`));
const span = z
  .strictObject({
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: hex(16).optional(),
    name: z.string().min(1),
    kind: z.number().int().min(1).max(5),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes: z.array(attribute),
    status: z.strictObject({ code: z.number().int().min(0).max(2), message: z.string().optional() }),
  })
  .refine(
    ({ startTimeUnixNano: start, endTimeUnixNano: end }) => BigInt(end) >= BigInt(start),
    'ends before it starts',
  );
const tracesSchema = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({ resource, scopeSpans: z.array(z.strictObject({ scope, spans: z.array(span) })) }),
  ),
});

const point = { attributes: z.array(attribute), startTimeUnixNano: nanos, timeUnixNano: nanos };
const temporality = z.number().int().min(1).max(2);
const numberPoint = z.union([
  z.strictObject({ ...point, asInt: int64 }),
  z.strictObject({ ...point, asDouble: z.number() }),
]);
const histogramPoint = z
  .strictObject({
    ...point,
    count: int64,
    sum: z.number(),
    bucketCounts: z.array(int64),
    explicitBounds: z.array(z.number()),
  })
  .refine(({ bucketCounts, explicitBounds }) => bucketCounts.length === explicitBounds.length + 1, 'one bucket more')
  .refine(
    ({ count, bucketCounts }) => BigInt(count) === bucketCounts.reduce((sum, each) => sum + BigInt(each), 0n),
    'buckets make the count',
  );
const metric = z.union([
  z.strictObject({
    name: z.string().min(1),
    unit: z.string(),
    sum: z.strictObject({
      aggregationTemporality: temporality,
      isMonotonic: z.boolean(),
      dataPoints: z.array(numberPoint),
    }),
  }),
  z.strictObject({
    name: z.string().min(1),
    unit: z.string(),
    histogram: z.strictObject({ aggregationTemporality: temporality, dataPoints: z.array(histogramPoint) }),
  }),
]);
const metricsSchema = z.strictObject({
  resourceMetrics: z.array(
    z.strictObject({ resource, scopeMetrics: z.array(z.strictObject({ scope, metrics: z.array(metric) })) }),
  ),
});

type CollectedSpan = z.infer<typeof span>;
type CollectedMetric = z.infer<typeof metric>;

export type OtlpCollector = {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  readonly metrics: readonly CollectedMetric[];
  /** Everything that arrived, as sent, headers included. */
  readonly raw: readonly string[];
  /** What was refused, and why. */
  readonly problems: readonly string[];
  setFault(fault: Fault | null): Promise<void>;
  close(): Promise<void>;
};

export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = [];
  const metrics: CollectedMetric[] = [];
  const raw: string[] = [];
  const problems: string[] = [];

  function take(path: string, body: string): void {
    const value: unknown = JSON.parse(body);
    if (path === '/v1/traces') {
      const parsed = tracesSchema.parse(value);
      spans.push(...parsed.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((each) => each.spans)));
    } else if (path === '/v1/metrics') {
      const parsed = metricsSchema.parse(value);
      metrics.push(
        ...parsed.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics)),
      );
    } else throw new Error(`nothing is at ${path}`);
  }

  const service = await startHttpService({
    maxBodyBytes: 4 * 1024 * 1024,
    contentType: () => 'application/json',
    sendTooLarge: (response) => void response.writeHead(413).end(),
    sendStatus: (response, status) => void response.writeHead(status).end(),
    async handle(request, response) {
      const body = Buffer.from(request.body).toString('utf8');
      raw.push(`${JSON.stringify(request.headers)} ${body}`);
      try {
        if (request.headers['content-type'] !== 'application/json') throw new Error('not application/json');
        take(request.path, body);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
        response.writeHead(400).end();
      }
    },
  });
  return {
    url: service.url,
    spans,
    metrics,
    raw,
    problems,
    setFault: (fault) => service.setFault(fault),
    close: () => service.close(),
  };
}
