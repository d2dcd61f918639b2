/**
 * What the pipeline is given. Owns the type only; worker/services.ts, the composition root, makes one per isolate.
 */
import type { IsolateState } from '../isolate-state.ts';
import type {
  Clock,
  ConfigKeeper,
  Devices,
  Difficulty,
  Guard,
  Logger,
  MetricsStore,
  Random,
  RecordSink,
  Target,
  Batches,
} from '../ports.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { Access } from './identify.ts';
import type { AnswerCache } from './lookup.ts';

export type Services = {
  readonly clock: Clock;
  readonly random: Random;
  readonly newRequestId: () => string;
  readonly graphqlIntrospection: boolean;
  /** Of the traces that begin here, how many are exported. 0 where nothing is. */
  readonly traceSampleRatio: number;
  readonly logger: Logger;
  readonly config: ConfigKeeper;
  readonly access: Access;
  readonly state: IsolateState;
  /** The targets of a configuration, by id; the same configuration gives the same targets. */
  readonly targetsOf: (config: Config) => ReadonlyMap<string, Target>;
  readonly cache: AnswerCache;
  readonly guard: Guard;
  readonly difficulty: Difficulty;
  /** Absent where no bucket and queue are configured. */
  readonly batches: Batches | undefined;
  readonly sink: RecordSink;
  readonly devices: Devices;
  /** Absent where no table is configured. */
  readonly metricsStore: MetricsStore | undefined;
};
