/**
 * What the isolates of a deployment say they hold, read from the metrics windows of the last minutes.
 */
import {
  latestReports,
  parseReport,
  REPORT_ATTRIBUTES,
  type IsolateReport,
} from '../../shared/control/isolate-report.ts';
import { metricsPartition } from '../../shared/names.ts';
import type { ControlTable } from './control-table.ts';

const MINUTE_MS = 60_000;
/** A window is put at most 25 s after it opened, under the minute in which it opened. */
const RECENT_MINUTES = 3;

/** @param shards as METRICS_SHARDS of the workers; asking for more than there are finds nothing and costs a read each */
export async function readIsolateReports(
  table: ControlTable,
  shards: number,
  nowMs: number,
): Promise<readonly IsolateReport[]> {
  const minute = Math.floor(nowMs / MINUTE_MS);
  const partitions = Array.from({ length: RECENT_MINUTES }, (_unused, back) => minute - back).flatMap((at) =>
    Array.from({ length: shards }, (_unused, shard) => metricsPartition(at, shard)),
  );
  const items = await Promise.all(partitions.map((partition) => table.query(partition, undefined, REPORT_ATTRIBUTES)));
  return latestReports(items.flat().flatMap((item) => parseReport(item) ?? []));
}
