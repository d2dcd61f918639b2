/**
 * Whether a busy isolate takes one more request, and when to come back if not. Low priority waits outside first.
 * Owns the rule; rendering the refusal is the pipeline's.
 */
import type { Limits } from '../schema/config.ts';
import type { Priority } from '../schema/infer-request.ts';

export type Pressure = {
  /** Requests under way, this one included. */
  readonly inFlight: number;
  /** Requests that end in a second, as of late; 0 where nothing has ended yet. */
  readonly endedPerSecond: number;
};

export type Admission = { readonly kind: 'admitted' } | { readonly kind: 'shed'; readonly retryAfterMs: number };

const ADMITTED: Admission = { kind: 'admitted' };
/** `retry-after` counts whole seconds. */
const LEAST_RETRY_MS = 1_000;
const MOST_RETRY_MS = 30_000;

/** Time to come back: until as many requests have ended as stand above this priority's share, at the present rate. */
export function admission(priority: Priority, { inFlight, endedPerSecond }: Pressure, limits: Limits): Admission {
  const room = limits.max_in_flight * limits.shed_above[priority];
  if (inFlight <= room) return ADMITTED;
  const excess = inFlight - room;
  const drainMs = endedPerSecond > 0 ? (1_000 * excess) / endedPerSecond : LEAST_RETRY_MS;
  return { kind: 'shed', retryAfterMs: Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, drainMs)) };
}
