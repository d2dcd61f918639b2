/**
 * What every command that changes the configuration does with it: show the difference, publish it as a new version made
 * from the one that was read, and, when asked, wait until it is in force everywhere.
 */
import type { Command } from 'commander';
import { diffConfigs } from '../../shared/control/diff-configs.ts';
import type { Edited } from '../../shared/control/edit-config.ts';
import type { Config } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';
import { readIsolateReports } from '../control/isolate-reports.ts';
import { readCurrent, readPointer, readVersion } from '../control/config-versions.ts';
import { mustBeWhole, publishConfig, type Published } from '../control/publish-config.ts';
import { waitUntilHeld, type Waited } from '../control/wait-until-held.ts';
import { given, type Connection, type Environment, type GlobalFlags } from './connection.ts';
import type { Operator } from './operator.ts';
import { parseCount } from './parse-option.ts';
import { describeChanges } from './describe-changes.ts';
import type { Report } from './terminal.ts';

export type PublishFlags = GlobalFlags & {
  readonly dryRun?: boolean;
  readonly note?: string;
  readonly by?: string;
  readonly wait?: boolean;
  readonly waitSeconds: number;
} & ShardsFlags;

export type ShardsFlags = { readonly shards?: number };

const WAIT_SECONDS = 45;
const DEFAULT_SHARDS = 4;

export function addPublishOptions(command: Command): Command {
  return addShardsOption(command)
    .option('--dry-run', 'show what would change, and publish nothing')
    .option('--note <text>', 'why, for the history')
    .option('--by <name>', 'who publishes (default: GITHUB_ACTOR or the name you are logged in with)')
    .option('--wait', 'wait until every isolate that answers requests holds it; exit 6 where one does not')
    .option('--wait-seconds <seconds>', 'how long at most', parseCount, WAIT_SECONDS);
}

export function addShardsOption(command: Command): Command {
  const meaning = `partitions that the workers write to (METRICS_SHARDS; default: ${DEFAULT_SHARDS})`;
  return command.option('--shards <count>', meaning, parseCount);
}

/** As many as the workers have: an isolate whose partition is not read seems not to be there. */
export function shardsOf({ shards }: ShardsFlags, env: Environment): number {
  const text = given(env['METRICS_SHARDS']);
  if (shards !== undefined || text === undefined) return shards ?? DEFAULT_SHARDS;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new CommandFailure('usage', `METRICS_SHARDS must be a whole number above 0, not "${text}".`);
}

/** Reads what is current, edits it, publishes the result; refused where what the edit names does not exist. */
export async function publishEdit(
  operator: Operator,
  connection: Connection,
  flags: PublishFlags,
  edit: (config: Config) => Edited,
  note: string,
): Promise<Report> {
  const { facts, config } = await readCurrent(connection.table, connection.environment);
  const edited = edit(config);
  if (!edited.ok) {
    const known = edited.known.length === 0 ? 'there is none' : `there is ${edited.known.join(', ')}`;
    throw new CommandFailure('not_found', `There is no ${edited.missing}; ${known}.`, { known: edited.known });
  }
  return publishValue(operator, connection, flags, { value: edited.config, basedOn: facts.version, note });
}

export type ValueToPublish = {
  readonly value: unknown;
  /** The version it was made from; left out, whatever is current. */
  readonly basedOn?: number;
  readonly restores?: number;
  readonly note?: string;
};

export async function publishValue(
  operator: Operator,
  connection: Connection,
  flags: PublishFlags,
  { value, basedOn, restores, note }: ValueToPublish,
): Promise<Report> {
  const { table, environment } = connection;
  const config = mustBeWhole(value);
  const before = await currentIfReadable(connection);
  const changes = before === undefined ? [] : diffConfigs(before, config);
  if (flags.dryRun === true) {
    return {
      value: { published: false, environment, changes },
      text: `${describeChanges(changes)}\nNothing was published.`,
    };
  }
  const why = flags.note ?? note;
  const published = await publishConfig(table, environment, {
    value: config,
    by: flags.by ?? publisherFrom(operator),
    nowMs: operator.nowMs(),
    ...(why === undefined ? {} : { note: why }),
    ...(basedOn === undefined ? {} : { basedOn }),
    ...(restores === undefined ? {} : { restores }),
  });
  const waited = flags.wait === true ? await waitFor(operator, connection, flags, published) : undefined;
  return {
    value: {
      published: true,
      environment,
      version: published.version,
      published_at: published.publishedAt,
      changes,
      ...(waited === undefined ? {} : { wait: waitedValue(waited) }),
    },
    text: [
      describeChanges(changes),
      `Version ${published.version} of ${environment} is current; isolates take it within 30 s.`,
      ...(waited === undefined ? [] : [describeWaited(waited, published.version)]),
    ].join('\n'),
    unhealthy: waited !== undefined && !waited.everywhere,
  };
}

/** What is in force, for comparison; a broken one compares with nothing. */
async function currentIfReadable({ table, environment }: Connection): Promise<Config | undefined> {
  const pointer = await readPointer(table, environment);
  if (pointer.kind !== 'at') return undefined;
  try {
    return (await readVersion(table, environment, pointer.version)).config;
  } catch (error) {
    if (error instanceof CommandFailure && (error.code === 'invalid' || error.code === 'not_found')) return undefined;
    throw error;
  }
}

export function publisherFrom({ env }: Operator): string {
  return given(env['GITHUB_ACTOR']) ?? given(env['USER']) ?? given(env['USERNAME']) ?? 'unknown';
}

function waitFor(
  operator: Operator,
  connection: Connection,
  flags: PublishFlags,
  published: Published,
): Promise<Waited> {
  return waitUntilHeld({
    version: published.version,
    publishedAtMs: Date.parse(published.publishedAt),
    withinMs: flags.waitSeconds * 1_000,
    read: () => readIsolateReports(connection.table, shardsOf(flags, operator.env), operator.nowMs()),
    nowMs: operator.nowMs,
    sleep: operator.sleep,
    signal: operator.signal,
  });
}

function waitedValue(waited: Waited): object {
  return {
    everywhere: waited.everywhere,
    holding: waited.holding.length,
    behind: waited.behind.map(({ isolateId, place, configVersion, problem }) => ({
      isolate: isolateId,
      place,
      version: configVersion,
      problem,
    })),
    silent: waited.silent.length,
    slowest_ms: waited.slowestMs,
  };
}

function describeWaited(waited: Waited, version: number): string {
  const { holding, behind, silent, slowestMs } = waited;
  if (holding.length === 0 && behind.length === 0) {
    return 'No isolate has reported since: nobody sends requests, so nothing can be said of where it is in force.';
  }
  const lines = [
    `${holding.length} isolates hold version ${version}${slowestMs === null ? '' : `, the last of them ${(slowestMs / 1_000).toFixed(1)} s after the publish`}.`,
    ...behind.map(
      (one) => `BEHIND  ${one.place} ${one.isolateId} holds ${one.configVersion}: ${one.problem ?? 'no reason given'}`,
    ),
  ];
  if (silent.length > 0) lines.push(`${silent.length} more answered requests shortly before, and have not since.`);
  return lines.join('\n');
}
