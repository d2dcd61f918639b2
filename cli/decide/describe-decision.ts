/**
 * A decision the way a person wants to read it: what was decided and why, who would be asked in which order with what is
 * expected of each, and who was left out for which reason. Owns the words.
 */
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import { MISSED_WORDS, REFUSAL_WORDS } from '../../shared/decide/explain.ts';
import type { PlannedAttempt, Refusal } from '../../shared/decide/plan-types.ts';
import type { Requirements } from '../../shared/schema/infer-request.ts';
import { renderTable, type Column } from '../text-table.ts';
import type { OfflineDecision } from './decide-offline.ts';

export function describeDecision(decided: OfflineDecision): string {
  const { plan } = decided;
  const sections = [heading(decided), conclusion(decided)];
  if (plan.attempts.length > 0) sections.push(`Asked in this order\n${attemptTable(plan.attempts)}`);
  if (plan.refused.length > 0) sections.push(`Left out\n${refusalTable(plan.refused)}`);
  if (plan.attempts.length > 0) sections.push(expectation(decided));
  return sections.join('\n\n');
}

function heading({ model, route, requirements, items, leftMs, plan }: OfflineDecision): string {
  const asked = askedFor(requirements);
  const many = items === 1 ? '' : `, ${items} inputs`;
  return [
    `${model.name} ${model.version}${many}: route ${route.name}, policy ${plan.policy}`,
    `${number(leftMs)} ms left; a plan must hold it with probability ${route.deadline_probability}${asked === '' ? '' : `; asked for: ${asked}`}`,
  ].join('\n');
}

function askedFor(requirements: Requirements): string {
  const { complexity, priority, minAccuracy, maxCostNanos, placement, variant } = requirements;
  const asked = [
    ...(complexity === 'auto' ? [] : [`complexity ${complexity}`]),
    ...(priority === 'normal' ? [] : [`priority ${priority}`]),
    ...(minAccuracy === undefined ? [] : [`accuracy of ${minAccuracy}`]),
    ...(maxCostNanos === undefined ? [] : [`at most ${dollars(maxCostNanos)} a million`]),
    ...(placement === 'any' ? [] : [`${placement} only`]),
    ...(variant === undefined ? [] : [`variant ${variant}`]),
  ];
  return asked.join(', ');
}

function conclusion({ plan }: OfflineDecision): string {
  const lines = [plan.reason];
  if (plan.missed.length > 0)
    lines.push(`Cannot be promised: ${plan.missed.map((it) => MISSED_WORDS[it]).join(', ')}.`);
  if (plan.retryAfterMs !== undefined) lines.push(`A place may be back in ${number(plan.retryAfterMs)} ms.`);
  return lines.join('\n');
}

type AttemptColumn = Column & { readonly of: (attempt: PlannedAttempt, position: number) => string };

const ATTEMPT_COLUMNS: readonly AttemptColumn[] = [
  { title: '', align: 'right', of: (_, position) => String(position + 1) },
  { title: 'place', align: 'left', of: ({ target }) => target },
  { title: 'variant', align: 'left', of: ({ variant }) => variant },
  { title: 'when', align: 'left', of: (attempt, position) => when(attempt, position) },
  { title: 'takes', align: 'left', of: ({ acceptConfidence }) => takes(acceptConfidence) },
  { title: 'p50 ms', align: 'right', of: ({ predictedP50Ms }) => number(predictedP50Ms) },
  { title: 'p95', align: 'right', of: ({ predictedP95Ms }) => number(predictedP95Ms) },
  { title: 'needs', align: 'right', of: ({ neededMs }) => number(neededMs) },
  { title: 'in time', align: 'right', of: ({ inTimeRatio }) => percent(inTimeRatio) },
  { title: '$/million', align: 'right', of: ({ predictedCostNanos }) => dollars(predictedCostNanos) },
  { title: 'accuracy', align: 'right', of: ({ predictedAccuracy }) => percent(predictedAccuracy) },
];

function attemptTable(attempts: readonly PlannedAttempt[]): string {
  return renderTable(
    ATTEMPT_COLUMNS,
    attempts.map((attempt, position) => ATTEMPT_COLUMNS.map(({ of }) => of(attempt, position))),
  );
}

function when({ role, isSpeculative, hedgeAfterMs, hedgeOf }: PlannedAttempt, position: number): string {
  const hedged = hedgeAfterMs === null ? '' : `, hedged after ${number(hedgeAfterMs)} ms`;
  switch (role) {
    case 'primary':
      return `${position === 0 ? 'first' : isSpeculative ? 'beside the first' : 'if not sure'}${hedged}`;
    case 'reserve':
      return 'if one fails';
    case 'hedge':
      return `beside ${(hedgeOf ?? 0) + 1}, if it takes long`;
  }
}

function takes(acceptConfidence: number): string {
  if (acceptConfidence === 0) return 'any answer';
  return acceptConfidence > 1 ? 'none' : `from ${acceptConfidence}`;
}

function refusalTable(refused: readonly Refusal[]): string {
  const columns: readonly Column[] = [
    { title: 'place', align: 'left' },
    { title: 'variant', align: 'left' },
    { title: 'why', align: 'left' },
  ];
  return renderTable(
    columns,
    refused.map(({ target, variant, reason, detail }) => [target, variant, `${REFUSAL_WORDS[reason]}: ${detail}`]),
  );
}

function expectation({ plan, model }: OfflineDecision): string {
  const { latencyMs, costNanos, accuracy } = plan.predicted;
  const saved = 1 - costNanos / plan.cloudOnlyCostNanos;
  return (
    `Expected: ${number(latencyMs)} ms at the median, $${dollars(costNanos)} a million, ${percent(accuracy)} right; ` +
    `asking ${model.reference_variant} every time: $${dollars(plan.cloudOnlyCostNanos)}` +
    (saved > 0 ? ` (${percent(saved)} saved)` : '')
  );
}

function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 1 ? value.toFixed(1) : value.toFixed(3);
}

/** US dollars for a million such requests. */
function dollars(nanos: number): string {
  return (1e6 * usdFromNanos(nanos)).toFixed(3);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
