/**
 * What OpenAI's bodies have no words for: requirements in an object `hybrid` (or in headers), and the decision in an object of
 * the same name.
 */
import * as z from 'zod/mini';
import { usdFromNanos } from '../../../shared/measure/pricing.ts';
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import { requirementsFromHeaders } from '../requirement-headers.ts';

export const extensionSchema = z.optional(z.record(z.string(), z.unknown(), 'must be an object of requirements'));

export function requirementsOf(
  headers: Headers,
  extension: Readonly<Record<string, unknown>> | undefined,
): Record<string, unknown> {
  return { ...requirementsFromHeaders(headers), ...extension };
}

export function renderExtension(result: InferResult): Record<string, unknown> {
  return {
    variant: result.variant,
    target_used: result.targetUsed,
    cost_usd: usdFromNanos(result.costNanos),
    cloud_only_cost_usd: usdFromNanos(result.decision.cloudOnlyCostNanos),
    latency_ms: result.latencyMs,
    cache: result.cache,
    reason: result.decision.reason,
    missed: result.decision.missed,
  };
}
