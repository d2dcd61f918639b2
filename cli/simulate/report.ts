/**
 * A comparison for people: one line a strategy, then the goals. Owns wording and units.
 */
import { renderTable, type Column } from '../text-table.ts';
import type { Goal } from './goals.ts';
import type { Scenario } from './scenario.ts';
import type { Summary } from './summarize.ts';

const COLUMNS: readonly (Column & { readonly of: (summary: Summary, cloud: Summary | undefined) => string })[] = [
  { title: 'strategy', align: 'left', of: ({ strategy }) => strategy },
  { title: '$/million', align: 'right', of: (it) => it.cost_usd_per_million.toFixed(3) },
  {
    title: 'saved',
    align: 'right',
    of: (it, cloud) =>
      cloud === undefined ? '' : percent(1 - it.cost_usd_per_million / cloud.cost_usd_per_million, 1),
  },
  { title: 'accuracy', align: 'right', of: ({ accuracy }) => percent(accuracy, 2) },
  { title: 'agrees', align: 'right', of: ({ agreement }) => percent(agreement, 2) },
  { title: 'routing', align: 'right', of: (it) => percent(it.routing_accuracy, 2) },
  { title: 'by label', align: 'right', of: (it) => percent(it.routing_accuracy_label, 2) },
  { title: 'edge', align: 'right', of: (it) => percent(it.edge_utilization, 1) },
  { title: 'p50 ms', align: 'right', of: ({ latency_ms: ms }) => milliseconds(ms.p50) },
  { title: 'p95', align: 'right', of: ({ latency_ms: ms }) => milliseconds(ms.p95) },
  { title: 'p99', align: 'right', of: ({ latency_ms: ms }) => milliseconds(ms.p99) },
  { title: 'p99.9', align: 'right', of: ({ latency_ms: ms }) => milliseconds(ms.p999) },
  { title: 'escalated', align: 'right', of: (it) => percent(it.escalation_rate, 2) },
  { title: 'extra', align: 'right', of: (it) => percent(it.extra_calls, 2) },
  { title: 'fell back', align: 'right', of: (it) => percent(it.fallback_rate, 2) },
  { title: 'answered', align: 'right', of: ({ answered }) => percent(answered, 3) },
];

export function renderComparison(scenario: Scenario, summaries: readonly Summary[]): string {
  const cloud = summaries.find(({ strategy }) => strategy === 'all-cloud');
  return [
    heading(scenario),
    '',
    renderTable(
      COLUMNS,
      summaries.map((summary) => COLUMNS.map(({ of }) => of(summary, cloud))),
    ),
  ].join('\n');
}

function heading({ workload, geography, options }: Scenario): string {
  const hours = ((workload.atMs.at(-1) ?? 0) / 3_600_000).toFixed(2);
  return (
    `${workload.count} requests of ${options.model} in ${hours} h, ${geography.pops.length} points of presence, ` +
    `regions ${geography.regions.join(', ')}, rows ${options.half}, seed ${options.seed}`
  );
}

export function renderGoals(goals: readonly Goal[]): string {
  return renderTable(
    [
      { title: 'cascade', align: 'left' },
      { title: 'goal', align: 'left' },
      { title: 'here', align: 'right' },
      { title: '', align: 'left' },
    ],
    goals.map(({ what, goal, figure, is_reached: isReached }) => [
      what,
      goal,
      figure,
      isReached ? 'reached' : 'not reached',
    ]),
  );
}

function percent(ratio: number, digits: number): string {
  return `${(100 * ratio).toFixed(digits)} %`;
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}
