/**
 * What one request did and why, once it is over: one log line, one addition to the metrics. Never delays the answer,
 * never holds an input.
 */
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import type { AttemptRecord, RequestRecord } from '../../shared/schema/record.ts';
import type { Logger, LogLevel, RecordSink } from '../ports.ts';

export function record(
  finished: RequestRecord,
  privateDetail: string | undefined,
  logger: Logger,
  sink: RecordSink,
): void {
  sink.add(finished);
  logger.log(levelOf(finished), 'request', finished.requestId, {
    ...(finished.trace === undefined ? {} : { trace_id: finished.trace.traceId }),
    tenant: finished.tenant,
    route: finished.route,
    model: finished.model,
    protocol: finished.protocol,
    priority: finished.priority,
    cache: finished.cache,
    items: finished.items,
    attempts: finished.attempts.map(attemptFields),
    outcome: finished.outcome,
    error_code: finished.errorCode,
    ...(privateDetail === undefined ? {} : { detail: privateDetail }),
    latency_ms: finished.latencyMs,
    cost_usd: usdFromNanos(finished.costNanos),
    config_version: finished.configVersion,
  });
}

function levelOf(finished: RequestRecord): LogLevel {
  if (finished.errorCode === 'internal') return 'error';
  const failed = finished.attempts.some((attempt) => attempt.outcome === 'failed');
  return failed || finished.outcome === 'error' ? 'warn' : 'info';
}

function attemptFields(attempt: AttemptRecord): Record<string, unknown> {
  return {
    target: attempt.target,
    variant: attempt.variant,
    why: attempt.why,
    outcome: attempt.outcome,
    reason: attempt.reason,
    latency_ms: attempt.latencyMs,
  };
}
