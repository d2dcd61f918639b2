/**
 * From options to everything a run needs: configuration, answers, geography, workload, worlds. Owns the default scenario.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultConfig } from '../../shared/config/default-config.ts';
import { cardSchema, type Card } from '../../shared/schema/card.ts';
import type { Config, TargetSpec } from '../../shared/schema/config.ts';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { UserError } from '../user-error.ts';
import { readAnswers, type Answers, type Half } from './answers.ts';
import { SERVERLESS_USD_PER_SECOND } from './assumptions.ts';
import type { SlowReplica } from './fleets.ts';
import { createGeography, type Geography } from './geography.ts';
import { createRandom, type Spread } from './random.ts';
import type { Served } from './strategies.ts';
import { addBursts, readTrace, stretch, type Bursts } from './trace.ts';
import { createWorkload, type StatedLatency, type Workload } from './workload.ts';
import { World, type Outage } from './world.ts';

export const HOSTINGS = ['serverless', 'instances'] as const;
/** How the large model is hosted. */
export type Hosting = (typeof HOSTINGS)[number];

export type ScenarioOptions = {
  readonly trace: string;
  readonly requests: number | undefined;
  readonly bursts: Bursts | undefined;
  readonly pops: number;
  readonly sampling: 'population' | 'uniform';
  readonly regions: readonly string[];
  readonly rttFile: string | undefined;
  readonly model: string;
  readonly half: Half;
  readonly zipf: number;
  readonly outOfScopeShare: number | undefined;
  readonly statedLatencies: readonly StatedLatency[];
  readonly outages: readonly Outage[];
  readonly seed: number;
  /** Cascade thresholds in place of the configuration's, by variant. */
  readonly accept: Readonly<Record<string, number>>;
  /** A configuration in place of the shipped one. */
  readonly config: Config | undefined;
};

export type Scenario = {
  readonly options: ScenarioOptions;
  readonly card: Card;
  readonly answers: Answers;
  readonly geography: Geography;
  readonly workload: Workload;
  readonly startMs: number;
};

export const SHIPPED_TRACE = join(REPOSITORY_ROOT, 'cli/simulate/data/azure-llm-2023-arrivals.csv.gz');
/** When the shipped trace begins; only differences matter. */
const START_MS = Date.parse('2023-11-16T18:15:46.680Z');

/** Each thing that is drawn has a stream of its own: more cities must not make other sentences. */
const STREAM = { trace: 1, bursts: 2, cities: 3, workload: 4 } as const;

export async function createScenario(options: ScenarioOptions): Promise<Scenario> {
  const random = (stream: number): (() => number) => createRandom(options.seed, stream);
  const card = await readCard(options.model);
  const answers = await readAnswers(
    join(REPOSITORY_ROOT, 'models', options.model, 'validation-scores.csv.gz'),
    card.out_of_scope_label,
    options.half,
  );
  const geography = await createGeography({
    pops: options.pops,
    regions: options.regions,
    sampling: options.sampling,
    rttFile: options.rttFile,
    random: random(STREAM.cities),
  });
  const trace = await readTrace(options.trace, random(STREAM.trace));
  const stretched = stretch(trace, options.requests ?? trace.length, random(STREAM.trace));
  const arrivals =
    options.bursts === undefined ? stretched : addBursts(stretched, options.bursts, random(STREAM.bursts));
  const workload = createWorkload({
    arrivals,
    geography,
    answers,
    zipf: options.zipf,
    outOfScopeShare: options.outOfScopeShare ?? naturalShare(answers),
    statedLatencies: options.statedLatencies,
    random: random(STREAM.workload),
  });
  return { options, card, answers, geography, workload, startMs: START_MS };
}

/** As in the data. */
function naturalShare({ outOfScope, rowsOf, rows }: Answers): number {
  return outOfScope === undefined ? 0 : (rowsOf[outOfScope]?.length ?? 0) / rows;
}

async function readCard(model: string): Promise<Card> {
  let text: string;
  try {
    text = await readFile(join(REPOSITORY_ROOT, 'models', model, 'card.json'), 'utf8');
  } catch (cause) {
    throw new UserError(`There is no model ${model} with a card.`, { cause });
  }
  return cardSchema.parse(JSON.parse(text));
}

/** The configuration in force: the shipped one, its cloud places once a region, or the one given. */
export function servedBy({ options, card, answers }: Scenario, hosting: Hosting): Served {
  const config = options.config ?? regional(shipped(card), options.regions, hosting);
  const model = config.models.find(({ name }) => name === options.model);
  const route = config.routes.find((it) => it.model === options.model);
  if (model === undefined || route === undefined)
    throw new UserError(`The configuration has no model ${options.model} with a route.`);
  const known = only(config, model.name, answers.variants);
  const { policy } = route;
  if (policy.kind !== 'cascade') return { config: known, model, route };
  const steps = policy.steps.flatMap((step) => {
    const threshold = options.accept[step.variant] ?? step.accept_confidence;
    if (!answers.variants.includes(step.variant) || threshold > 1) return [];
    return [{ ...step, accept_confidence: threshold }];
  });
  return { config: known, model, route: { ...route, policy: { kind: 'cascade', steps } } };
}

/** The one model, and of its variants those whose answers are known. */
function only(config: Config, model: string, variants: readonly string[]): Config {
  const targets = config.targets.map((target) => ({
    ...target,
    serves: target.serves.filter((served) => served.model === model && variants.includes(served.variant)),
  }));
  return {
    ...config,
    models: config.models.filter(({ name }) => name === model),
    targets: targets.filter(({ serves }) => serves.length > 0),
  };
}

function shipped(card: Card): Config {
  return defaultConfig([card], {
    region: 'us-east-1',
    lambdaFunctionUrl: 'https://function.example/',
    sagemakerEndpointName: 'large',
    sagemakerBaseUrl: null,
  });
}

function regional(config: Config, regions: readonly string[], hosting: Hosting): Config {
  const targets = config.targets.flatMap((target): TargetSpec[] => {
    if (target.endpoint.kind === 'edge') return [target];
    return regions.map((region) => ({
      ...target,
      id: `${target.id}-${region}`,
      region,
      price: target.endpoint.kind === 'sagemaker' && hosting === 'serverless' ? SERVERLESS : target.price,
    }));
  });
  return { ...config, targets };
}

const SERVERLESS: TargetSpec['price'] = {
  kind: 'serverless',
  usd_per_second: SERVERLESS_USD_PER_SECOND,
  usd_per_million_requests: 0,
};

export type WorldChanges = { readonly slow?: SlowReplica; readonly replicas?: number };

export function createWorld(scenario: Scenario, { config }: Served, changes: WorldChanges = {}): World {
  const { geography, answers, card, options } = scenario;
  return new World({
    config,
    seed: options.seed,
    variants: answers.variants,
    serverComputeMs: answers.variants.map((variant) => computeOf(card, variant)),
    rttMs: new Map(
      geography.regions.map((region, index) => [region, geography.rttMs.map((byRegion) => byRegion[index] ?? 0)]),
    ),
    pops: geography.pops.length,
    outages: options.outages,
    ...changes,
  });
}

/** As measured for the card, on shared cores: the tail is that of a busy machine. */
function computeOf(card: Card, variant: string): Spread {
  const latency = card.variants[variant]?.latency_ms;
  const p50Ms = latency?.p50 ?? 1;
  return { p50Ms, p95Ms: Math.max(p50Ms, latency?.p95 ?? 2 * p50Ms) };
}
