/**
 * When a canary that says nothing of it stops by itself. Apart from the schema, because a first answer needs the values and not
 * the library that checks them.
 */
import type { CanaryStop } from './route-policy.ts';

export const CANARY_STOP: CanaryStop = {
  failure_ratio: 0.1,
  minimum_requests: 20,
  window_ms: 60_000,
  hold_ms: 600_000,
};
