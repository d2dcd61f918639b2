/**
 * An evaluation's report for people. Owns wording and units; leaves out every figure's definition (score.ts).
 */
import type { Report } from './evaluate.ts';
import type { Quantiles } from './score.ts';

export function renderReport(report: Report): string {
  return [heading(report), '', ...figureLines(report), ...warningLines(report)].join('\n');
}

function heading(report: Report): string {
  const asked =
    report.pinned_variant === null
      ? `complexity ${report.model_complexity}`
      : `variant ${report.pinned_variant} pinned`;
  return `${report.model} ${report.model_version}: ${report.n} rows of ${report.data} in ${report.seconds.toFixed(1)} s, ${report.concurrency} at a time, ${asked}`;
}

function figureLines(report: Report): string[] {
  const lines: [string, string][] = [['accuracy', percent(report.accuracy)]];
  if (report.accuracy_in_scope !== null) lines.push(['  in scope', percent(report.accuracy_in_scope)]);
  if (report.oos_recall !== null) lines.push(['  out-of-scope recall', percent(report.oos_recall)]);
  for (const [variant, { n, accuracy }] of Object.entries(report.accuracy_by_variant)) {
    lines.push([`  answered by ${variant}`, `${percent(accuracy)} of ${n}`]);
  }
  lines.push(
    [`${report.reference_variant} alone`, percent(report.reference_accuracy)],
    [`agreement with ${report.reference_variant}`, percent(report.agreement)],
    ['  of shortcuts alone', percent(report.agreement_of_shortcuts)],
    ['calibration error', percent(report.ece)],
    ['answered at the edge', percent(report.edge_share)],
    ['escalated', percent(report.escalation_rate)],
    ['fell back', percent(report.fallback_rate)],
    ['round trip', milliseconds(report.latency_ms)],
    ['  in the gateway', milliseconds(report.gateway_latency_ms)],
    ['cost per request', dollars(report.cost_usd_per_request)],
    ['  cloud-only, estimated', dollars(report.cloud_only_cost_usd_per_request)],
    ['    saved', percent(report.saving)],
    [`  ${report.reference_variant} alone, as billed`, dollars(report.reference_cost_usd_per_request)],
    ['    saved', percent(report.saving_against_reference)],
    ['errors', String(report.error_count)],
  );
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function warningLines(report: Report): string[] {
  const lines: string[] = [];
  for (const [code, count] of Object.entries(report.errors)) lines.push(`  ${count} x ${code}`);
  if (report.first_error !== null) lines.push(`  for example ${report.first_error}`);
  if (report.reference_error !== null) {
    lines.push(`The comparison with ${report.reference_variant} is not whole: ${report.reference_error}`);
  }
  return lines;
}

function percent(ratio: number | null): string {
  return ratio === null ? 'n/a' : `${(100 * ratio).toFixed(2)} %`;
}

function milliseconds({ p50, p95, p99 }: Quantiles): string {
  return p50 === null ? 'n/a' : `p50 ${fixed(p50)}  p95 ${fixed(p95)}  p99 ${fixed(p99)} ms`;
}

function fixed(valueMs: number | null): string {
  return valueMs === null ? 'n/a' : valueMs.toFixed(1);
}

function dollars(usd: number | null): string {
  return usd === null ? 'n/a' : `${(1e6 * usd).toFixed(3)} USD per million`;
}
