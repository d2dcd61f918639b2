/**
 * Load shedding: when the isolate is busy, low priority waits outside first.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { Limits } from '../../shared/schema/config.ts';
import type { Priority } from '../../shared/schema/infer-request.ts';

const RETRY_AFTER_MS = 1_000;

export function admit(priority: Priority, inFlight: number, limits: Limits): void {
  if (inFlight <= limits.max_in_flight * limits.shed_above[priority]) return;
  throw new GatewayError('overloaded', `The gateway is busy; requests of priority "${priority}" are shed for now.`, {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
