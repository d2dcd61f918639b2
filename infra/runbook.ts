/**
 * The runbook entries that alarms may name. Each is a heading of RUNBOOK.md; a test holds the two together.
 */
export const RUNBOOK_ENTRIES = [
  'gateway-errors',
  'gateway-latency',
  'gateway-fallbacks',
  'edge-utilization',
  'cost-per-inference',
  'guarantee-at-risk',
  'rollup-lag',
  'function-errors',
  'function-throttles',
  'function-latency',
  'endpoint-errors',
  'endpoint-latency',
  'table-throttles',
  'monthly-budget',
] as const;

export type RunbookEntry = (typeof RUNBOOK_ENTRIES)[number];

export const RUNBOOK_PATH = 'infra/RUNBOOK.md';

/** What an alarm says when it rings: what is wrong, and where the way out is written. */
export function withRunbook(description: string, entry: RunbookEntry): string {
  return `${description} Runbook: ${RUNBOOK_PATH}#${entry}`;
}
