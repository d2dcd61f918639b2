/**
 * The failed result of an attempt as a value. Owns its construction and the mapping of a `retry-after` header;
 * leaves out deciding what to do next.
 */
import type { FailureReason } from '../../shared/decide/plan-types.ts';
import type { TargetResult } from '../ports.ts';

export type FailedResult = Extract<TargetResult, { kind: 'failed' }>;

type FailureExtras = { readonly computeMs?: number | null; readonly retryAfterMs?: number | undefined };

/** @param detail public: neither input nor secrets, and nothing an upstream wrote in free text */
export function failed(reason: FailureReason, detail: string, extras: FailureExtras = {}): FailedResult {
  return {
    kind: 'failed',
    reason,
    detail,
    computeMs: extras.computeMs ?? null,
    ...(extras.retryAfterMs === undefined ? {} : { retryAfterMs: extras.retryAfterMs }),
  };
}

const MAX_RETRY_AFTER_MS = 600_000;

/** Seconds or an HTTP date, as RFC 9110 has it; anything else is ignored. */
export function parseRetryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null || value === '') return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - nowMs;
  if (!Number.isFinite(ms) || ms < 0) return undefined;
  return Math.min(ms, MAX_RETRY_AFTER_MS);
}
