/**
 * Runs one scenario under many strategies, each in a world of its own that draws the same luck. Owns which strategies
 * there are.
 */
import type { Answers } from './answers.ts';
import { oracleChoices, type OracleChoice } from './oracle.ts';
import { drawFor } from './random.ts';
import { replay } from './replay.ts';
import { createWorld, servedBy, type Hosting, type Scenario, type WorldChanges } from './scenario.ts';
import { fixed, gateway, type Ask, type Served, type Stop, type Strategy } from './strategies.ts';
import { summarize, type Summary } from './summarize.ts';

export const STRATEGIES = [
  'cascade',
  'cheapest',
  'fastest',
  'most_accurate',
  'cascade-hedged',
  'cascade-exploring',
  'most_accurate-hedged',
  'all-cloud',
  'all-cloud-serverless',
  'static-cascade',
  'random',
  'oracle',
] as const;
/** What is compared where nothing else is asked for. */
export const COMPARED: readonly StrategyName[] = [
  'cascade',
  'cheapest',
  'most_accurate',
  'all-cloud',
  'all-cloud-serverless',
  'static-cascade',
  'random',
  'oracle',
];

export type StrategyName = (typeof STRATEGIES)[number];

/** Purpose number of the random strategy's draws: beyond any that a call uses. */
const RANDOM_CHOICE = 1_000_003;

export function compare(
  scenario: Scenario,
  names: readonly StrategyName[],
  hosting: Hosting,
  changes: WorldChanges = {},
): readonly Summary[] {
  const byHosting = { serverless: servedBy(scenario, 'serverless'), instances: servedBy(scenario, 'instances') };
  const oracles = oraclesOf(scenario, byHosting[hosting]);
  return names.map((name) => {
    const served = byHosting[hostingOf(name, hosting)];
    return runOne(scenario, served, strategyFor(name, scenario, served, oracles.reference), oracles, changes);
  });
}

/** Who asks the large model every time keeps instances for it, as a team without a gateway would. */
function hostingOf(name: StrategyName, hosting: Hosting): Hosting {
  if (name === 'all-cloud') return 'instances';
  return name === 'all-cloud-serverless' ? 'serverless' : hosting;
}

type Oracles = { readonly reference: OracleChoice; readonly label: OracleChoice };

export function oraclesOf(scenario: Scenario, served: Served): Oracles {
  const { answers, workload } = scenario;
  const options = {
    config: served.config,
    answers,
    workload,
    world: createWorld(scenario, served),
    referenceVariant: served.model.reference_variant,
    defaultDeadlineMs: served.route.default_deadline_ms,
  };
  return {
    reference: oracleChoices({ ...options, right: 'reference' }),
    label: oracleChoices({ ...options, right: 'label' }),
  };
}

export function runOne(
  scenario: Scenario,
  served: Served,
  strategy: Strategy,
  oracle: Oracles,
  changes: WorldChanges = {},
): Summary {
  const { workload, answers, startMs } = scenario;
  const world = createWorld(scenario, served, changes);
  const tally = replay({
    workload,
    answers,
    served,
    world,
    strategy,
    startMs,
    seed: scenario.options.seed,
    coordinates: scenario.geography.coordinates,
  });
  return summarize({
    strategy: strategy.name,
    tally,
    bill: world.bill(workload.atMs.at(-1) ?? 0),
    workload,
    answers,
    targets: served.config.targets,
    reference: answers.variants.indexOf(served.model.reference_variant),
    oracle,
  });
}

export function strategyFor(name: StrategyName, scenario: Scenario, served: Served, oracle: OracleChoice): Strategy {
  switch (name) {
    case 'cascade':
      return gateway(name, served);
    case 'cheapest':
    case 'fastest':
    case 'most_accurate':
      return gateway(name, withRoute(served, { policy: { kind: name } }));
    case 'cascade-hedged':
      return gateway(name, withRoute(served, { hedge: HEDGE }));
    case 'cascade-exploring':
      return gateway(name, withRoute(served, { exploration: { share: MAX_EXPLORATION } }));
    case 'most_accurate-hedged':
      return gateway(name, withRoute(served, { policy: { kind: 'most_accurate' }, hedge: HEDGE }));
    case 'all-cloud':
    case 'all-cloud-serverless':
      return fixed(name, served, cloudStops(served, scenario));
    case 'static-cascade':
      return fixed(name, served, staticStops(served));
    case 'random':
      return fixed(name, served, randomStops(served, scenario));
    case 'oracle':
      return fixed(name, served, oracleStops(scenario.answers, oracle));
  }
}

/** The most that a configuration may allow. */
const HEDGE = { max_extra_ratio: 0.05 };
const MAX_EXPLORATION = 0.05;

function withRoute(served: Served, changes: Partial<Served['route']>): Served {
  return { ...served, route: { ...served.route, ...changes } };
}

/** The steps at the first place that serves each, wherever the caller is: what a fixed fallback list does. */
function staticStops({ config, route, model }: Served): () => readonly Stop[] {
  const steps =
    route.policy.kind === 'cascade'
      ? route.policy.steps
      : model.variants.map(({ name }) => ({ variant: name, accept_confidence: 0 }));
  const stops = steps.flatMap(({ variant, accept_confidence }, step): Stop[] => {
    const target = config.targets.findIndex(({ serves }) => serves.some((served) => served.variant === variant));
    const isLast = step === steps.length - 1;
    return target < 0 ? [] : [{ target, variant, acceptConfidence: isLast ? 0 : accept_confidence }];
  });
  return () => stops;
}

/** The reference at the nearest region, as DNS that follows latency gives it, then at the next. */
function cloudStops({ config, model }: Served, { geography }: Scenario): (ask: Ask) => readonly Stop[] {
  const variant = model.reference_variant;
  const places = config.targets.flatMap(({ serves, region }, target) =>
    serves.some((served) => served.variant === variant) ? [{ target, region: geography.regions.indexOf(region) }] : [],
  );
  const byPop = geography.rttMs.map((rttMs) =>
    [...places]
      .sort((a, b) => (rttMs[a.region] ?? 0) - (rttMs[b.region] ?? 0))
      .map(({ target }): Stop => ({ target, variant, acceptConfidence: 0 })),
  );
  return ({ pop }) => byPop[pop] ?? [];
}

function randomStops({ config }: Served, { options }: Scenario): (ask: Ask) => readonly Stop[] {
  const all = config.targets.flatMap(({ serves }, target) =>
    serves.map(({ variant }): Stop => ({ target, variant, acceptConfidence: 0 })),
  );
  return ({ request }) => {
    const stop = all[Math.floor(drawFor(options.seed, request, RANDOM_CHOICE) * all.length)];
    return stop === undefined ? [] : [stop];
  };
}

function oracleStops({ variants }: Answers, choice: OracleChoice): (ask: Ask) => readonly Stop[] {
  return ({ request }) => [
    {
      target: choice.target[request] ?? 0,
      variant: variants[choice.variant[request] ?? 0] ?? '',
      acceptConfidence: 0,
    },
  ];
}
