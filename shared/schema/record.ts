/**
 * What one request did and why: the source of the log line, the metrics and the answer's `decision`.
 * Holds no input, no output beyond counts, no key.
 */
import type { ErrorCode } from '../errors.ts';
import type { TargetKind } from './config.ts';
import type { Priority } from './infer-request.ts';
import type { AttemptWhy, FailureReason } from '../decide/plan-types.ts';
import type { Trace } from '../trace/trace.ts';

export type CacheStatus = 'miss' | 'hit' | 'semantic' | 'stale';

export type AttemptRecord = {
  readonly target: string;
  readonly kind: TargetKind;
  readonly region: string;
  readonly variant: string;
  readonly why: AttemptWhy;
  /** `cancelled`: it ran beside another attempt, which answered first. */
  readonly outcome: 'accepted' | 'partly_accepted' | 'low_confidence' | 'failed' | 'cancelled';
  readonly reason: FailureReason | null;
  /** For people: "3 of 4 answers at or above 0.85". Public; holds no input. */
  readonly detail: string;
  readonly items: number;
  readonly acceptedItems: number;
  readonly latencyMs: number;
  readonly computeMs: number | null;
  readonly costNanos: number;
  /** In the order begun, from 1. */
  readonly number?: number;
  readonly startedAtMs?: number;
};

export type RequestRecord = {
  readonly requestId: string;
  readonly tenant: string;
  readonly route: string;
  readonly model: string;
  readonly protocol: string;
  readonly priority: Priority;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly cache: CacheStatus;
  readonly attempts: readonly AttemptRecord[];
  readonly items: number;
  /** Items answered by the edge kind or the cache. */
  readonly edgeItems: number;
  readonly outcome: 'ok' | 'error';
  readonly errorCode: ErrorCode | null;
  readonly costNanos: number;
  readonly cloudOnlyCostNanos: number;
  readonly missed: readonly string[];
  readonly configVersion: string;
  /** Where the request came in over HTTP. */
  readonly trace?: Trace;
};

/** What auditing some accepted answers of one request came to. Holds no input and no answer. */
export type AuditRecord = {
  readonly route: string;
  readonly endedAtMs: number;
  /** Answers that the reference answered as well. */
  readonly audits: number;
  readonly disagreements: number;
  /** Answers that it did not. */
  readonly failures: number;
  readonly costNanos: number;
};
