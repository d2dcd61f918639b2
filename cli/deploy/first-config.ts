/**
 * The configuration of a deployment's first day: what is shipped, with the addresses that AWS just gave. Published only where
 * nothing ever was; afterwards the configuration is its operators'.
 */
import { defaultConfig } from '../../shared/config/default-config.ts';
import type { Card } from '../../shared/schema/card.ts';
import { readPointer } from '../control/config-versions.ts';
import type { ControlTable } from '../control/control-table.ts';
import { publishConfig } from '../control/publish-config.ts';
import type { Outputs } from './worker-values.ts';

export type FirstConfigOptions = {
  readonly table: ControlTable;
  readonly environment: string;
  readonly cards: readonly Card[];
  readonly outputs: Outputs;
  readonly nowMs: number;
};

/** @returns what was done, for people */
export async function publishFirstConfig(options: FirstConfigOptions): Promise<string> {
  const { table, environment, cards, outputs, nowMs } = options;
  const pointer = await readPointer(table, environment);
  if (pointer.kind === 'at') return `version ${pointer.version} of ${environment} is current and stays`;
  const value = defaultConfig(cards, {
    region: outputs['Region'] ?? '',
    lambdaFunctionUrl: outputs['FunctionUrl'] ?? null,
    sagemakerEndpointName: outputs['EndpointName'] ?? null,
    sagemakerBaseUrl: null,
  });
  const note = 'the shipped configuration, at the first deployment';
  const { version } = await publishConfig(table, environment, { value, by: 'npm run deploy', note, nowMs });
  return `published the shipped configuration as version ${version} of ${environment}`;
}
