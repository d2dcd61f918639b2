/**
 * What every protocol's answer says of the decision in headers, so that clients of any protocol can read it.
 */
import { isRetryable, type GatewayError } from '../../shared/errors.ts';
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import { REQUEST_ID_HEADER } from '../../shared/names.ts';
import type { Decision, InferResult } from '../../shared/schema/infer-result.ts';

export function decisionHeaders(result: InferResult): Record<string, string> {
  return {
    [REQUEST_ID_HEADER]: result.requestId,
    'x-target-used': result.targetUsed.id,
    'x-cost-usd': String(usdFromNanos(result.costNanos)),
    'x-cache': result.cache,
    'x-decision': decisionInShort(result.decision, result.variant),
  };
}

/** Of a failed request, whatever form its protocol gives the error. */
export function failureHeaders(error: GatewayError, requestId: string): Record<string, string> {
  return {
    ...error.headers,
    // How to send one: HTTP wants it with every 401.
    ...(error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {}),
    [REQUEST_ID_HEADER]: requestId,
    'x-error-code': error.code,
    'x-should-retry': String(isRetryable(error.code)),
    ...(error.retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(error.retryAfterMs / 1_000)) }),
  };
}

/** ASCII, one line: `policy=cascade; variant=base; attempts=edge/micro:low_confidence,lambda/base:accepted`. */
function decisionInShort(decision: Decision, variant: string): string {
  const attempts = decision.fallbackChain.map((attempt) => `${attempt.target}/${attempt.variant}:${attempt.outcome}`);
  const parts = [`policy=${decision.policy}`, `variant=${variant}`];
  if (attempts.length > 0) parts.push(`attempts=${attempts.join(',')}`);
  if (decision.missed.length > 0) parts.push(`missed=${decision.missed.join(',')}`);
  return parts.join('; ');
}
