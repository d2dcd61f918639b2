/**
 * What the control plane's probe last saw of the places, read now and then in the background. Owns when to look and that a
 * table that is away changes nothing; leaves out what a status means (shared/decide).
 */
import { parseStatus, probedRegions } from '../../shared/control/resource-status.ts';
import type { ResourceStatus } from '../../shared/decide/facts.ts';
import { resourcePartition, TABLE_PARTITION_KEY } from '../../shared/names.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { Clock } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

export type StatusKeeperOptions = {
  readonly client: DynamoClient;
  readonly clock: Clock;
  /** Given all statuses after each look that succeeded. */
  readonly reported: (statuses: ReadonlyMap<string, ResourceStatus>) => void;
  readonly onFailure?: (error: unknown) => void;
};

export type StatusKeeper = {
  /** Looks where the last look is long enough ago. Never rejects. */
  refresh(config: Config): Promise<void>;
};

/** The probe writes every other minute: looking more often would cost reads and tell nothing. */
const REFRESH_MS = 30_000;

export function createStatusKeeper({ client, clock, reported, onFailure }: StatusKeeperOptions): StatusKeeper {
  let nextLookMs = 0;
  return {
    async refresh(config) {
      const nowMs = clock.now();
      const regions = probedRegions(config.targets);
      if (nowMs < nextLookMs || regions.length === 0) return;
      nextLookMs = nowMs + REFRESH_MS;
      try {
        const statuses = new Map<string, ResourceStatus>();
        for (const region of regions) {
          const items = await client.query({ name: TABLE_PARTITION_KEY, value: resourcePartition(region) });
          for (const item of items) {
            const parsed = parseStatus(item);
            if (parsed !== undefined) statuses.set(parsed.target, parsed.status);
          }
        }
        reported(statuses);
      } catch (error) {
        onFailure?.(error);
      }
    },
  };
}
