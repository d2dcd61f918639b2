/**
 * What became of every request, in columns. Owns counting; what the counts mean is summarize.ts.
 */
import type { AttemptWhy } from '../../shared/decide/plan-types.ts';
import type { TargetKind } from '../../shared/schema/config.ts';

/** No target, no variant: nothing answered. */
export const NOBODY = 255;

export type Ending = {
  readonly latencyMs: number;
  readonly target: number;
  readonly variant: number;
  readonly isAccepted: boolean;
  readonly isInTime: boolean;
};

export class Tally {
  readonly latencyMs: Float64Array;
  readonly target: Uint8Array;
  readonly variant: Uint8Array;
  readonly accepted: Uint8Array;
  readonly inTime: Uint8Array;
  /** How often each request ended: once, or the loop is wrong. */
  readonly ended: Uint8Array;
  readonly escalated: Uint8Array;
  readonly fellBack: Uint8Array;
  hedges = 0;
  readonly costNanos: Float64Array;
  readonly calls = new Map<TargetKind, number>();

  constructor(count: number) {
    this.latencyMs = new Float64Array(count);
    this.target = new Uint8Array(count).fill(NOBODY);
    this.variant = new Uint8Array(count).fill(NOBODY);
    this.accepted = new Uint8Array(count);
    this.inTime = new Uint8Array(count);
    this.ended = new Uint8Array(count);
    this.escalated = new Uint8Array(count);
    this.fellBack = new Uint8Array(count);
    this.costNanos = new Float64Array(count);
  }

  cost(request: number, nanos: number): void {
    this.costNanos[request] = (this.costNanos[request] ?? 0) + nanos;
  }

  attempt(request: number, why: AttemptWhy): void {
    if (why === 'escalation') this.escalated[request] = 1;
    if (why === 'fallback') this.fellBack[request] = 1;
    if (why === 'hedge') this.hedges += 1;
  }

  call(request: number, kind: TargetKind, nanos: number): void {
    this.calls.set(kind, (this.calls.get(kind) ?? 0) + 1);
    this.cost(request, nanos);
  }

  end(request: number, ending: Ending): void {
    this.ended[request] = (this.ended[request] ?? 0) + 1;
    this.latencyMs[request] = ending.latencyMs;
    this.target[request] = ending.target;
    this.variant[request] = ending.variant;
    this.accepted[request] = ending.isAccepted ? 1 : 0;
    this.inTime[request] = ending.isInTime ? 1 : 0;
  }
}
