/**
 * The `simulate` command: its options, what it runs, what it prints and writes. Leaves out the simulation itself.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseConfig } from '../../shared/config/parse-config.ts';
import type { Config } from '../../shared/schema/config.ts';
import { UserError } from '../user-error.ts';
import { HALVES, type Half } from './answers.ts';
import { compare, COMPARED, STRATEGIES, type StrategyName } from './compare.ts';
import { firstRegions } from './geography.ts';
import type { SlowReplica } from './fleets.ts';
import { drawPlot } from './plot.ts';
import { renderComparison, renderGoals } from './report.ts';
import { createScenario, HOSTINGS, SHIPPED_TRACE, type Hosting, type ScenarioOptions } from './scenario.ts';
import * as values from './simulate-options.ts';
import { checkGoals } from './check-goals.ts';
import { simulateFrontier, tune } from './tune.ts';
import type { Bursts } from './trace.ts';
import type { StatedLatency } from './workload.ts';
import type { Outage } from './world.ts';

type SimulateFlags = {
  readonly trace: string;
  readonly requests?: number;
  readonly bursts?: Bursts;
  readonly pops: number;
  readonly sampling: 'population' | 'uniform';
  readonly regions: readonly string[];
  readonly rtt?: string;
  readonly model: string;
  readonly rows: Half;
  readonly zipf: number;
  readonly outOfScope?: number;
  readonly latency: readonly StatedLatency[];
  readonly outage: readonly Outage[];
  readonly slowReplica?: SlowReplica;
  readonly replicas?: number;
  readonly seed: number;
  readonly strategies: readonly StrategyName[];
  readonly hosting: Hosting;
  readonly accept: Readonly<Record<string, number>>;
  readonly config?: string;
  readonly grid: boolean;
  readonly goals: boolean;
  readonly json: boolean;
  readonly plot?: string;
};

const DEFAULT_POPS = 40;
const DEFAULT_REGIONS = 3;

export function createSimulateCommand(print: (text: string) => void): Command {
  return new Command('simulate')
    .description(
      'Replays a trace of arrivals against the decision core, with the answers that the shipped models gave to validation\n' +
        'rows, and compares it with asking the cloud every time, a static cascade, chance and a clairvoyant oracle.\n' +
        'The same options give the same figures to the last digit.',
    )
    .option(
      '--trace <file>',
      'arrivals, CSV, gzip accepted (default: an hour of the Azure LLM inference trace)',
      SHIPPED_TRACE,
    )
    .option('-n, --requests <count>', 'stretch or thin the trace to so many', values.parseCount)
    .option('--bursts <NxFxS>', 'add N bursts of F times the mean rate, S seconds each', values.parseBursts)
    .option('--pops <count>', 'points of presence', values.parseCount, DEFAULT_POPS)
    .addOption(
      new Option('--sampling <kind>', 'how cities are drawn and weighted')
        .choices(['population', 'uniform'])
        .default('population'),
    )
    .option('--regions <list>', 'AWS regions by name, or how many', values.parseRegions, firstRegions(DEFAULT_REGIONS))
    .option('--rtt <file>', 'measured round trips: cities by regions, ms, CSV (default: estimated by distance)')
    .option('-m, --model <name>', 'a shipped model with validation scores', 'intent')
    .addOption(new Option('--rows <half>', 'which validation rows').choices(HALVES).default('all'))
    .option('--zipf <exponent>', 'popularity of the labels', values.parseExponent, 0.8)
    .option('--out-of-scope <share>', 'of requests (default: as in the rows)', values.parseRatio)
    .option('--latency <list>', 'latency requirements and the share that states each', values.parseLatencies, [])
    .option('--outage <region:from-to>', 'a region down, in seconds; may be repeated', values.parseOutage, [])
    .option('--slow-replica <NxF>', 'one replica in N is F times slower', values.parseSlow)
    .option('--replicas <count>', 'instances of each endpoint, instead of scaling', values.parseCount)
    .option('--seed <number>', 'of everything that is drawn', values.parseSeed, 1)
    .option('--strategies <list>', `of ${STRATEGIES.join(', ')}`, parseStrategies, COMPARED)
    .addOption(new Option('--hosting <kind>', 'of the large model').choices(HOSTINGS).default('serverless'))
    .option(
      '--accept <list>',
      "thresholds in place of the configuration's, like micro=0.9,base=0.5",
      values.parseAccept,
      {},
    )
    .option('--config <file>', 'a configuration in place of the shipped one')
    .option('--grid', 'choose thresholds on one half of the rows, report them on the other', false)
    .option('--goals', "hold the cascade against the product's goals; one more run with a region down", false)
    .option('--plot <file.svg>', 'write cost, latency and accuracy as a picture')
    .option('--json', 'print one JSON object', false)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run simulate -- --goals\n  npm run simulate -- --requests 1000000 --strategies cascade,all-cloud\n' +
        '  npm run simulate -- --trace trace.csv.gz --pops 80 --regions us-east-1,eu-west-1 --outage us-east-1:600-1200',
    )
    .action(async (flags: SimulateFlags) => print(await simulate(flags)));
}

function parseStrategies(text: string): readonly StrategyName[] {
  return text.split(',').map((name) => {
    const known = STRATEGIES.find((it) => it === name.trim());
    if (known === undefined) throw new InvalidArgumentError(`"${name}" is none of ${STRATEGIES.join(', ')}.`);
    return known;
  });
}

async function simulate(flags: SimulateFlags): Promise<string> {
  const options = await scenarioOptions(flags);
  if (flags.grid) return tune(options, flags.hosting, flags.json);
  const scenario = await createScenario(options);
  const changes = {
    ...(flags.slowReplica === undefined ? {} : { slow: flags.slowReplica }),
    ...(flags.replicas === undefined ? {} : { replicas: flags.replicas }),
  };
  const summaries = compare(scenario, flags.strategies, flags.hosting, changes);
  const goals = flags.goals ? await checkGoals(options, flags.hosting) : undefined;
  if (flags.plot !== undefined) {
    const title = `${scenario.workload.count} requests, ${options.model}, ${options.regions.length} regions, ${options.pops} points of presence`;
    const frontier = simulateFrontier(scenario, flags.hosting);
    await writeFile(flags.plot, drawPlot({ title, strategies: summaries, frontier }));
  }
  if (flags.json) return JSON.stringify({ scenario: describe(flags), strategies: summaries, goals }, null, 2);
  const table = renderComparison(scenario, summaries);
  return goals === undefined ? table : `${table}\n\n${renderGoals(goals)}`;
}

async function scenarioOptions(flags: SimulateFlags): Promise<ScenarioOptions> {
  const unknown = flags.outage.find(({ region }) => !flags.regions.includes(region));
  if (unknown !== undefined)
    throw new UserError(`--outage: ${unknown.region} takes no part; regions are ${flags.regions.join(', ')}.`);
  return {
    trace: flags.trace,
    requests: flags.requests,
    bursts: flags.bursts,
    pops: flags.pops,
    sampling: flags.sampling,
    regions: flags.regions,
    rttFile: flags.rtt,
    model: flags.model,
    half: flags.rows,
    zipf: flags.zipf,
    outOfScopeShare: flags.outOfScope,
    statedLatencies: flags.latency,
    outages: flags.outage,
    seed: flags.seed,
    accept: flags.accept,
    config: flags.config === undefined ? undefined : await readConfig(flags.config),
  };
}

/** Whatever is needed to run it again. */
function describe(flags: SimulateFlags): unknown {
  const { json: _json, plot: _plot, trace, ...rest } = flags;
  return { trace: trace === SHIPPED_TRACE ? 'azure-llm-2023' : trace, ...rest };
}

async function readConfig(file: string): Promise<Config> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new UserError(`${file} cannot be read as JSON.`, { cause });
  }
  const parsed = parseConfig(value);
  if (parsed.ok) return parsed.config;
  const problems = parsed.problems.map(({ path, message }) => `  ${path}: ${message}`).join('\n');
  throw new UserError(`${file} is no configuration:\n${problems}`);
}
