/**
 * Finished requests as OTLP spans: one of the gateway, one an attempt. Pure. Says what the log line says: no input, no output.
 */
import { usdFromNanos } from '../measure/pricing.ts';
import type { AttemptRecord, RequestRecord } from '../schema/record.ts';
import { attemptSpanId, type Trace } from '../trace/trace.ts';
import { attributes, resourceOf, SCOPE, unixNano, type OtlpAttribute } from './attributes.ts';

const KIND_SERVER = 2;
const KIND_CLIENT = 3;
const STATUS_UNSET = 0;
const STATUS_ERROR = 2;

type OtlpSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly status: { readonly code: number };
};

export function renderTraces(
  records: readonly RequestRecord[],
  service: Parameters<typeof resourceOf>[0],
): Readonly<Record<string, unknown>> {
  const spans = records.flatMap((record) => (record.trace === undefined ? [] : spansOf(record, record.trace)));
  return { resourceSpans: [{ resource: resourceOf(service), scopeSpans: [{ scope: SCOPE, spans }] }] };
}

function spansOf(record: RequestRecord, trace: Trace): readonly OtlpSpan[] {
  const { startedAtMs, latencyMs } = record;
  const own: OtlpSpan = {
    traceId: trace.traceId,
    spanId: trace.spanId,
    ...(trace.parentSpanId === undefined ? {} : { parentSpanId: trace.parentSpanId }),
    name: `infer ${record.route}`,
    kind: KIND_SERVER,
    startTimeUnixNano: unixNano(startedAtMs),
    endTimeUnixNano: unixNano(startedAtMs + latencyMs),
    attributes: attributes({
      'hybrid.request_id': record.requestId,
      'hybrid.tenant': record.tenant,
      'hybrid.route': record.route,
      'hybrid.model': record.model,
      'hybrid.protocol': record.protocol,
      'hybrid.priority': record.priority,
      'hybrid.cache': record.cache,
      'hybrid.items': record.items,
      'hybrid.edge_items': record.edgeItems,
      'hybrid.cost_usd': usdFromNanos(record.costNanos),
      'hybrid.config_version': record.configVersion,
      'error.type': record.errorCode,
    }),
    status: { code: record.outcome === 'error' ? STATUS_ERROR : STATUS_UNSET },
  };
  return [own, ...record.attempts.map((attempt, index) => attemptSpan(record, trace, attempt, index))];
}

function attemptSpan(record: RequestRecord, trace: Trace, attempt: AttemptRecord, index: number): OtlpSpan {
  const startMs = attempt.startedAtMs ?? record.startedAtMs;
  return {
    traceId: trace.traceId,
    spanId: attemptSpanId(trace, attempt.number ?? index + 1),
    parentSpanId: trace.spanId,
    name: `attempt ${attempt.target}`,
    kind: KIND_CLIENT,
    startTimeUnixNano: unixNano(startMs),
    endTimeUnixNano: unixNano(startMs + attempt.latencyMs),
    attributes: attributes({
      'hybrid.target': attempt.target,
      'hybrid.target_kind': attempt.kind,
      'hybrid.variant': attempt.variant,
      'hybrid.why': attempt.why,
      'hybrid.outcome': attempt.outcome,
      'hybrid.items': attempt.items,
      'hybrid.accepted_items': attempt.acceptedItems,
      'hybrid.cost_usd': usdFromNanos(attempt.costNanos),
      'error.type': attempt.outcome === 'failed' ? attempt.reason : null,
    }),
    status: { code: attempt.outcome === 'failed' ? STATUS_ERROR : STATUS_UNSET },
  };
}
