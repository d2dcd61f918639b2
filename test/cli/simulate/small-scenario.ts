/**
 * A scenario of the shipped intent model, small enough for a test.
 */
import { firstRegions } from '../../../cli/simulate/geography.ts';
import { createScenario, SHIPPED_TRACE, type Scenario, type ScenarioOptions } from '../../../cli/simulate/scenario.ts';

export function smallScenario(changes: Partial<ScenarioOptions> = {}): Promise<Scenario> {
  return createScenario({
    trace: SHIPPED_TRACE,
    requests: 1_500,
    bursts: undefined,
    pops: 6,
    sampling: 'population',
    regions: firstRegions(2),
    rttFile: undefined,
    model: 'intent',
    half: 'all',
    zipf: 0.8,
    outOfScopeShare: undefined,
    statedLatencies: [],
    outages: [],
    seed: 7,
    accept: {},
    config: undefined,
    ...changes,
  });
}
