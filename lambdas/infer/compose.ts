/**
 * Puts the model server together from its environment. The only place that constructs, for container and Lambda alike.
 */
import { performance } from 'node:perf_hooks';
import type { Env } from '../lib/env.ts';
import type { Logger } from '../lib/logger.ts';
import { createLogger } from '../lib/logger.ts';
import { createTurns, type Turns } from '../lib/turns.ts';
import type { Registry } from './registry.ts';
import { openRegistry } from './registry.ts';
import type { Service } from './service.ts';
import { createService } from './service.ts';
import { sessionOpener } from './session.ts';

export type Parts = { readonly registry: Registry; readonly service: Service; readonly turns: Turns };

const GROUP_SIZE = 16;

export const nowMs = (): number => performance.now();

/** @param embedMetrics where the log is Lambda's, which CloudWatch reads metrics out of */
export function composeLogger(level: Env['logLevel'], embedMetrics = false): Logger {
  return createLogger({ level, embedMetrics, write: (line) => void process.stdout.write(line), now: () => new Date() });
}

export async function compose(env: Env, logger: Logger): Promise<Parts> {
  const openSession = sessionOpener(env.intraOpThreads);
  const registry = await openRegistry({ modelDir: env.modelDir, variants: env.variants, openSession });
  const turns = createTurns();
  const { maxInFlight } = env;
  const service = createService({ registry, logger, groupSize: GROUP_SIZE, maxInFlight, nowMs, turns });
  return { registry, service, turns };
}
