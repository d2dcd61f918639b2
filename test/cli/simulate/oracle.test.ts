import { describe, expect, it } from 'vitest';
import { drawFor } from '../../../cli/simulate/random.ts';
import { oraclesOf, compare } from '../../../cli/simulate/compare.ts';
import { createWorld, servedBy } from '../../../cli/simulate/scenario.ts';
import { smallScenario } from './small-scenario.ts';

describe('the clairvoyant oracle', () => {
  it('takes the edge exactly where an edge variant says what the reference says', async () => {
    const scenario = await smallScenario();
    const { answers, workload } = scenario;
    const served = servedBy(scenario, 'serverless');
    const { reference } = oraclesOf(scenario, served);
    const large = answers.variants.indexOf('large');
    const edge = served.config.targets[0]?.serves.map(({ variant }) => answers.variants.indexOf(variant)) ?? [];
    expect(served.config.targets[0]?.endpoint.kind).toBe('edge');
    for (let request = 0; request < workload.count; request += 1) {
      const row = workload.row[request] ?? 0;
      const agrees = edge.some((variant) => answers.predicted[variant]?.[row] === answers.predicted[large]?.[row]);
      expect(reference.target[request] === 0).toBe(agrees);
    }
  });

  it('takes the nearest region of those that cost the same, and another while that one is down', async () => {
    const calm = await smallScenario({ pops: 1 });
    const [home = ''] = calm.geography.regions.toSorted((a, b) => rtt(calm, a) - rtt(calm, b));
    const chosenIn = async (outages: Parameters<typeof smallScenario>[0]): Promise<Set<string>> => {
      const scenario = await smallScenario({ pops: 1, ...outages });
      const served = servedBy(scenario, 'serverless');
      const { reference } = oraclesOf(scenario, served);
      const regions = [...reference.target].map((target) => served.config.targets[target]?.region ?? '');
      return new Set(regions.filter((region) => region !== 'local'));
    };
    expect([...(await chosenIn({}))]).toContain(home);
    const down = await chosenIn({ outages: [{ region: home, fromMs: 0, toMs: 1e9, how: 'hang' }] });
    expect(down.has(home)).toBe(false);
    expect(down.size).toBeGreaterThan(0);
  });

  it('stays at the edge where no place that is right could be in time', async () => {
    const scenario = await smallScenario({ statedLatencies: [{ ms: 3, share: 1 }] });
    const { reference } = oraclesOf(scenario, servedBy(scenario, 'serverless'));
    expect([...reference.target].every((target) => target === 0)).toBe(true);
  });

  it('agrees with itself: run as a strategy, its routing accuracy is one', async () => {
    const [oracle] = compare(await smallScenario(), ['oracle'], 'serverless');
    expect(oracle?.routing_accuracy).toBe(1);
    expect(oracle?.agreement).toBe(1);
  });

  it('asks the world only what a call would take alone, which no call changes', async () => {
    const scenario = await smallScenario();
    const served = servedBy(scenario, 'serverless');
    const world = createWorld(scenario, served);
    const call = {
      request: 5,
      pop: 0,
      target: 1,
      variant: scenario.answers.variants.indexOf('base'),
      repeat: 0,
      nowMs: 0,
    };
    const before = world.aloneMs(call);
    for (let other = 0; other < 50; other += 1) world.call({ ...call, request: other });
    expect(world.aloneMs(call)).toBe(before);
  });
});

describe('draws', () => {
  it('belong to seed, request and purpose, and are spread evenly', () => {
    const draws = Array.from({ length: 10_000 }, (_, request) => drawFor(1, request, 3));
    expect(draws.every((draw) => draw > 0 && draw < 1)).toBe(true);
    expect(draws.reduce((sum, draw) => sum + draw, 0) / draws.length).toBeCloseTo(0.5, 1);
    expect(drawFor(1, 2, 3)).toBe(drawFor(1, 2, 3));
    expect(new Set([drawFor(1, 2, 3), drawFor(2, 2, 3), drawFor(1, 3, 3), drawFor(1, 2, 4)]).size).toBe(4);
  });
});

function rtt({ geography }: Awaited<ReturnType<typeof smallScenario>>, region: string): number {
  return geography.rttMs[0]?.[geography.regions.indexOf(region)] ?? Infinity;
}
