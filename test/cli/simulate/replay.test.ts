import { describe, expect, it } from 'vitest';
import { oraclesOf, STRATEGIES, strategyFor, type StrategyName } from '../../../cli/simulate/compare.ts';
import { replay } from '../../../cli/simulate/replay.ts';
import { createWorld, servedBy, type ScenarioOptions } from '../../../cli/simulate/scenario.ts';
import { NOBODY, type Tally } from '../../../cli/simulate/tally.ts';
import type { Bill } from '../../../cli/simulate/world.ts';
import { smallScenario } from './small-scenario.ts';

async function run(name: StrategyName, changes: Partial<ScenarioOptions> = {}): Promise<{ tally: Tally; bill: Bill }> {
  const scenario = await smallScenario(changes);
  const served = servedBy(scenario, name === 'all-cloud' ? 'instances' : 'serverless');
  const world = createWorld(scenario, served);
  const { workload, answers, startMs, geography, options } = scenario;
  const strategy = strategyFor(name, scenario, served, oraclesOf(scenario, served).reference);
  const tally = replay({
    workload,
    answers,
    served,
    world,
    strategy,
    startMs,
    seed: options.seed,
    coordinates: geography.coordinates,
  });
  return { tally, bill: world.bill(workload.atMs.at(-1) ?? 0) };
}

const BAD_DAY: Partial<ScenarioOptions> = {
  bursts: { count: 3, factor: 40, lengthMs: 5_000 },
  statedLatencies: [
    { ms: 5, share: 0.2 },
    { ms: 150, share: 0.4 },
  ],
  outages: [
    { region: 'us-east-1', fromMs: 500_000, toMs: 1_500_000, how: 'hang' },
    { region: 'eu-central-1', fromMs: 1_000_000, toMs: 2_000_000, how: 'refuse' },
  ],
};

describe.each(STRATEGIES)('replayed under %s', (name) => {
  it.each([
    ['a calm hour', {}],
    ['a bad day', BAD_DAY],
  ])('every request of %s ends exactly once, not before it arrived', async (_, changes) => {
    const { tally } = await run(name, changes);
    expect([...tally.ended].every((times) => times === 1)).toBe(true);
    expect([...tally.latencyMs].every((ms) => ms > 0)).toBe(true);
  });

  it('what requests cost and what stands idle is what is billed', async () => {
    const { tally, bill } = await run(name, BAD_DAY);
    const perRequest = tally.costNanos.reduce((sum, nanos) => sum + nanos, 0);
    const billed = [...bill.byKind.values()].reduce((sum, nanos) => sum + nanos, bill.gatewayNanos);
    expect(perRequest).toBe(billed);
    expect(bill.idleNanos > 0).toBe(name === 'all-cloud');
  });

  it('the same seed gives the same run', async () => {
    const [one, again] = [await run(name, BAD_DAY), await run(name, BAD_DAY)];
    expect(again).toEqual(one);
  });
});

const DOWN: Partial<ScenarioOptions> = {
  outages: [{ region: 'us-east-1', fromMs: 0, toMs: 1e9, how: 'hang' }],
};

describe('the large model with a region down', () => {
  it('falls back to the other region until breakers open, and every request is answered in time', async () => {
    const { tally } = await run('most_accurate', DOWN);
    const fellBack = tally.fellBack.reduce((sum, flag) => sum + flag, 0);
    expect(fellBack).toBeGreaterThan(0);
    expect(fellBack / tally.fellBack.length).toBeLessThan(0.5);
    expect([...tally.target].every((target) => target !== NOBODY)).toBe(true);
    expect([...tally.inTime].every((isInTime) => isInTime === 1)).toBe(true);
  });
});

describe('the cascade', () => {
  it('answers everything with a region down, inside the deadline', async () => {
    const { tally } = await run('cascade', DOWN);
    expect([...tally.target].every((target) => target !== NOBODY)).toBe(true);
    expect([...tally.inTime].every((isInTime) => isInTime === 1)).toBe(true);
  });

  it('stays at the edge where the caller cannot wait for the cloud', async () => {
    const { tally } = await run('cascade', { statedLatencies: [{ ms: 5, share: 1 }] });
    expect([...tally.calls.keys()]).toEqual(['edge']);
  });

  it('accepts whatever the first step says at a threshold of zero', async () => {
    const { tally } = await run('cascade', { accept: { micro: 0 } });
    expect([...tally.escalated].every((escalated) => escalated === 0)).toBe(true);
  });
});
