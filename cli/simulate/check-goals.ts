/**
 * The runs that the goals are read off: the cascade and all-cloud as they are, and the cascade with a region down.
 */
import { compare } from './compare.ts';
import { goalsOf, type Goal } from './goals.ts';
import { createScenario, type Hosting, type ScenarioOptions } from './scenario.ts';

/** From a third of the trace on, for a sixth of it. */
const DOWN_FROM = 1 / 3;
const DOWN_TO = 1 / 2;

export async function checkGoals(options: ScenarioOptions, hosting: Hosting): Promise<readonly Goal[]> {
  const scenario = await createScenario(options);
  const [ours, cloud] = compare(scenario, ['cascade', 'all-cloud'], hosting);
  if (ours === undefined || cloud === undefined) throw new RangeError('both were asked for');
  const [region] = options.regions;
  const spanMs = scenario.workload.atMs.at(-1) ?? 0;
  if (region === undefined || options.regions.length < 2) return goalsOf({ ours, cloud, regionDown: undefined });
  const outages = [
    ...options.outages,
    { region, fromMs: DOWN_FROM * spanMs, toMs: DOWN_TO * spanMs, how: 'hang' as const },
  ];
  const [regionDown] = compare(await createScenario({ ...options, outages }), ['cascade'], hosting);
  return goalsOf({ ours, cloud, regionDown });
}
