/**
 * From what became of every request to the figures of one strategy. Owns each figure's definition.
 */
import type { TargetSpec } from '../../shared/schema/config.ts';
import type { Answers } from './answers.ts';
import type { OracleChoice } from './oracle.ts';
import { NOBODY, type Tally } from './tally.ts';
import type { Bill } from './world.ts';
import type { Workload } from './workload.ts';

export type Summary = {
  readonly strategy: string;
  readonly requests: number;
  /** Share that got an answer, whichever. */
  readonly answered: number;
  readonly in_time: number;
  /** Of all requests: an answer that equals the label. */
  readonly accuracy: number;
  readonly accuracy_in_scope: number;
  /** Of all requests: an answer that equals the reference variant's. */
  readonly agreement: number;
  /** Share answered from the kind of place (edge, lambda, sagemaker) that the oracle would have chosen. */
  readonly routing_accuracy: number;
  /** The same against the oracle that knows the labels. */
  readonly routing_accuracy_label: number;
  readonly edge_utilization: number;
  readonly escalation_rate: number;
  readonly fallback_rate: number;
  readonly latency_ms: Quantiles;
  readonly latency_edge_ms: Quantiles;
  /** Billed, idle instances and the gateway included. */
  readonly cost_usd_per_million: number;
  /** `gateway`, `idle` and each kind of place that was called. */
  readonly cost_usd: Readonly<Record<string, number>>;
  readonly calls: Readonly<Record<string, number>>;
  /** Hedges over calls that left the point of presence. */
  readonly extra_calls: number;
};

type Quantiles = {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
};

export type Measured = {
  readonly strategy: string;
  readonly tally: Tally;
  readonly bill: Bill;
  readonly workload: Workload;
  readonly answers: Answers;
  readonly targets: readonly TargetSpec[];
  readonly reference: number;
  readonly oracle: { readonly reference: OracleChoice; readonly label: OracleChoice };
};

const NANOS_PER_USD = 1e9;

export function summarize(measured: Measured): Summary {
  const { strategy, tally, bill, workload, answers, targets, oracle } = measured;
  const { count } = workload;
  const kinds = targets.map(({ endpoint }) => endpoint.kind);
  const reference = answers.predicted[measured.reference];
  let answered = 0;
  let right = 0;
  let inScope = 0;
  let rightInScope = 0;
  let agreed = 0;
  let routed = 0;
  let routedByLabel = 0;
  const edgeMs: number[] = [];
  for (let request = 0; request < count; request += 1) {
    const row = workload.row[request] ?? 0;
    const target = tally.target[request] ?? NOBODY;
    const isInScope = answers.truth[row] !== answers.outOfScope;
    if (isInScope) inScope += 1;
    if (target === NOBODY) continue;
    answered += 1;
    const said = answers.predicted[tally.variant[request] ?? NOBODY]?.[row];
    if (said === answers.truth[row]) {
      right += 1;
      if (isInScope) rightInScope += 1;
    }
    if (said === reference?.[row]) agreed += 1;
    const kind = kinds[target];
    if (kind === kinds[oracle.reference.target[request] ?? NOBODY]) routed += 1;
    if (kind === kinds[oracle.label.target[request] ?? NOBODY]) routedByLabel += 1;
    if (kind === 'edge') edgeMs.push(tally.latencyMs[request] ?? 0);
  }
  const costs: [string, number][] = [['gateway', bill.gatewayNanos], ['idle', bill.idleNanos], ...bill.byKind];
  const nanos = costs.reduce((total, [, part]) => total + part, 0);
  return {
    strategy,
    requests: count,
    answered: answered / count,
    in_time: sum(tally.inTime) / count,
    accuracy: right / count,
    accuracy_in_scope: rightInScope / inScope,
    agreement: agreed / count,
    routing_accuracy: routed / count,
    routing_accuracy_label: routedByLabel / count,
    edge_utilization: edgeMs.length / count,
    escalation_rate: sum(tally.escalated) / count,
    fallback_rate: sum(tally.fellBack) / count,
    latency_ms: quantiles(tally.latencyMs.slice()),
    latency_edge_ms: quantiles(Float64Array.from(edgeMs)),
    cost_usd_per_million: (nanos / NANOS_PER_USD / count) * 1e6,
    cost_usd: Object.fromEntries(costs.map(([what, part]) => [what, part / NANOS_PER_USD])),
    calls: Object.fromEntries(tally.calls),
    extra_calls: tally.hedges / Math.max(1, remoteCalls(tally) - tally.hedges),
  };
}

function remoteCalls({ calls }: Tally): number {
  let total = 0;
  for (const [kind, count] of calls) if (kind !== 'edge') total += count;
  return total;
}

function sum(flags: Uint8Array): number {
  let total = 0;
  for (const flag of flags) total += flag;
  return total;
}

/** Sorts in place. Exact: every value is there. */
function quantiles(values: Float64Array): Quantiles {
  values.sort();
  const at = (q: number): number => values[Math.min(values.length - 1, Math.floor(q * values.length))] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), p999: at(0.999) };
}
