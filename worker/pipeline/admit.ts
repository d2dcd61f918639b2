/**
 * Load shedding: when the isolate is busy, low priority waits outside first. The rule is resilience/admission.ts.
 */
import { GatewayError } from '../../shared/errors.ts';
import { admission } from '../../shared/resilience/admission.ts';
import type { Limits } from '../../shared/schema/config.ts';
import type { Priority } from '../../shared/schema/infer-request.ts';
import type { IsolateState } from '../isolate-state.ts';

export function admit(priority: Priority, state: IsolateState, nowMs: number, limits: Limits): void {
  const verdict = admission(
    priority,
    { inFlight: state.inFlight, endedPerSecond: state.endedPerSecond(nowMs) },
    limits,
  );
  if (verdict.kind === 'admitted') return;
  throw new GatewayError('overloaded', `The gateway is busy; requests of priority "${priority}" are shed for now.`, {
    retryAfterMs: verdict.retryAfterMs,
  });
}
