/**
 * What the product promises of deciding, held against a run. Owns each goal's bound and how it is read off the summaries.
 */
import type { Summary } from './summarize.ts';

export type Goal = {
  readonly what: string;
  readonly goal: string;
  readonly figure: string;
  readonly is_reached: boolean;
};

export type GoalRuns = {
  readonly ours: Summary;
  readonly cloud: Summary;
  /** The same with one region down for a sixth of the time; undefined where there is only one region. */
  readonly regionDown: Summary | undefined;
};

export function goalsOf({ ours, cloud, regionDown }: GoalRuns): readonly Goal[] {
  const saved = 1 - ours.cost_usd_per_million / cloud.cost_usd_per_million;
  const loss = cloud.accuracy - ours.accuracy;
  const p99Cut = 1 - ours.latency_ms.p99 / cloud.latency_ms.p99;
  const goals = [
    goal(
      'routing accuracy: the same kind of place as the oracle',
      '>= 95 %',
      percent(ours.routing_accuracy),
      ours.routing_accuracy >= 0.95,
    ),
    goal('cost below all-cloud, idle capacity included', '>= 85 %', percent(saved), saved >= 0.85),
    goal('accuracy lost against all-cloud', '<= 1 point', `${(100 * loss).toFixed(2)} points`, loss <= 0.01),
    goal(
      'p50 of answers at the edge',
      '<= 5 ms',
      `${ours.latency_edge_ms.p50.toFixed(2)} ms`,
      ours.latency_edge_ms.p50 <= 5,
    ),
    goal('p99 below all-cloud', '>= 60 %', percent(p99Cut), p99Cut >= 0.6),
    goal('answered at the edge', '>= 85 %', percent(ours.edge_utilization), ours.edge_utilization >= 0.85),
    goal('fallback rate', '< 1 %', percent(ours.fallback_rate), ours.fallback_rate < 0.01),
  ];
  if (regionDown !== undefined) {
    const { answered } = regionDown;
    goals.push(goal('answered with one region down', '>= 99.9 %', percent(answered, 3), answered >= 0.999));
  }
  return goals;
}

function goal(what: string, bound: string, figure: string, isReached: boolean): Goal {
  return { what, goal: bound, figure, is_reached: isReached };
}

function percent(ratio: number, digits = 2): string {
  return `${(100 * ratio).toFixed(digits)} %`;
}
