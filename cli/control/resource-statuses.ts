/** What the probe last saw of the targets of a configuration, by target id. */
import { parseStatus, probedRegions, type ProbedStatus } from '../../shared/control/resource-status.ts';
import { resourcePartition } from '../../shared/names.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { ControlTable } from './control-table.ts';

export async function readStatuses(table: ControlTable, config: Config): Promise<ReadonlyMap<string, ProbedStatus>> {
  const regions = probedRegions(config.targets);
  const items = await Promise.all(regions.map((region) => table.query(resourcePartition(region))));
  return new Map(
    items.flat().flatMap((item) => {
      const parsed = parseStatus(item);
      return parsed === undefined ? [] : [[parsed.target, parsed.status] as const];
    }),
  );
}
