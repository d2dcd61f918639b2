/**
 * `hybrid config`: validate, show, diff, publish, history, rollback.
 */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { diffConfigs } from '../../shared/control/diff-configs.ts';
import { CommandFailure } from '../command-failure.ts';
import { listVersions, readCurrent, readPointer, readVersion } from '../control/config-versions.ts';
import type { ListedVersion, ReadVersion } from '../control/config-versions.ts';
import { mustBeWhole } from '../control/publish-config.ts';
import type { Connection, GlobalFlags } from './connection.ts';
import { describeChanges } from './describe-changes.ts';
import { perform, performOnTable, type Operator } from './operator.ts';
import { parseCount } from './parse-option.ts';
import { addPublishOptions, publishValue, type PublishFlags } from './publish-change.ts';
import { readJson } from './read-json.ts';
import { table, type Report } from './terminal.ts';

type OutFlags = GlobalFlags & { readonly out?: string };
type BaseFlags = PublishFlags & { readonly base?: number };

export function createConfigCommand(operator: Operator): Command {
  return new Command('config')
    .description('Configuration: immutable versions and one pointer, moved only from where you saw it.')
    .addCommand(validateCommand(operator))
    .addCommand(showCommand(operator))
    .addCommand(diffCommand(operator))
    .addCommand(publishCommand(operator))
    .addCommand(historyCommand(operator))
    .addCommand(rollbackCommand(operator));
}

function validateCommand(operator: Operator): Command {
  return new Command('validate')
    .description('Checks a configuration as a whole; every problem with the path of its field. Needs no table.')
    .argument('<file>', 'JSON, or - for standard input')
    .action((file: string, _flags: GlobalFlags, command: Command) =>
      perform(operator, command.optsWithGlobals<GlobalFlags>(), async () => {
        const config = mustBeWhole(await readJson(file));
        const counts = { models: config.models.length, targets: config.targets.length, routes: config.routes.length };
        return {
          value: { valid: true, ...counts },
          text: `Valid: ${counts.models} models, ${counts.targets} targets, ${counts.routes} routes.`,
        };
      }),
    );
}

function showCommand(operator: Operator): Command {
  return new Command('show')
    .description('Prints a version (default: the current one) as JSON.')
    .argument('[version]', 'its number', parseCount)
    .option('-o, --out <file>', 'write the configuration there instead')
    .action((version: number | undefined, _flags: OutFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<OutFlags>(), async (connection, { out }) => {
        const { facts, config } = await versionOrCurrent(connection, version);
        const text = JSON.stringify(config, undefined, 2);
        if (out === undefined) return { value: { ...factsValue(facts), config }, text };
        await writeFile(out, `${text}\n`);
        return {
          value: { ...factsValue(facts), file: out },
          text: `Version ${facts.version} is in ${out}. Publish it with: hybrid config publish ${out} --base ${facts.version}`,
        };
      }),
    );
}

function diffCommand(operator: Operator): Command {
  return new Command('diff')
    .description('What differs, field by field: from one version to another, or from the current one to a file.')
    .argument('<from>', 'a version, `current`, a file, or - for standard input')
    .argument('[to]', 'the same (default: where <from> is a file, compares the current version with it)')
    .option('--exit-code', 'exit 6 where anything differs')
    .action((from: string, to: string | undefined, _flags: GlobalFlags, command: Command) =>
      performOnTable(
        operator,
        command.optsWithGlobals<GlobalFlags & { exitCode?: boolean }>(),
        async (connection, { exitCode }) => {
          const [left, right] = to === undefined ? oneSided(from) : [from, to];
          const changes = diffConfigs(await anyConfig(connection, left), await anyConfig(connection, right));
          return {
            value: { from: left, to: right, changes },
            text: describeChanges(changes),
            unhealthy: exitCode === true && changes.length > 0,
          };
        },
      ),
    );
}

function publishCommand(operator: Operator): Command {
  return addPublishOptions(new Command('publish'))
    .description('Publishes a file as the next version, atomically: it is in force as a whole or not at all.')
    .argument('<file>', 'JSON, or - for standard input')
    .option('--base <version>', 'refuse unless this is still current: what the file was made from', parseCount)
    .action((file: string, _flags: BaseFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<BaseFlags>(), async (connection, flags) =>
        publishValue(operator, connection, flags, {
          value: await readJson(file),
          ...(flags.base === undefined ? {} : { basedOn: flags.base }),
        }),
      ),
    );
}

function historyCommand(operator: Operator): Command {
  return new Command('history')
    .description('Every version, newest first: when, by whom, why, and whether it was ever in force.')
    .action((_flags: GlobalFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<GlobalFlags>(), async ({ table: items, environment }) => {
        const versions = await listVersions(items, environment);
        return {
          value: {
            environment,
            versions: versions.map((listed) => ({ ...factsValue(listed), standing: listed.standing })),
          },
          text: versions.length === 0 ? `Nothing was ever published for ${environment}.` : historyTable(versions),
        };
      }),
    );
}

function rollbackCommand(operator: Operator): Command {
  return addPublishOptions(new Command('rollback'))
    .description('Puts an earlier version back in force (default: the one before the current), as a new version.')
    .argument('[version]', 'its number', parseCount)
    .action((version: number | undefined, _flags: PublishFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<PublishFlags>(), (connection, flags) =>
        rollBack(operator, connection, flags, version),
      ),
    );
}

async function rollBack(
  operator: Operator,
  connection: Connection,
  flags: PublishFlags,
  version: number | undefined,
): Promise<Report> {
  const { table: items, environment } = connection;
  const restored = version ?? (await versionBefore(connection));
  const { config } = await readVersion(items, environment, restored);
  const pointer = await readPointer(items, environment);
  return publishValue(operator, connection, flags, {
    value: config,
    restores: restored,
    note: `roll-back to version ${restored}`,
    ...(pointer.kind === 'at' ? { basedOn: pointer.version } : {}),
  });
}

/** What was in force before the current version; behind a roll-back, what was in force before the version it restored. */
async function versionBefore({ table: items, environment }: Connection): Promise<number> {
  const versions = await listVersions(items, environment);
  const byNumber = new Map(versions.map((listed) => [listed.version, listed]));
  const pointer = await readPointer(items, environment);
  const current = pointer.kind === 'at' ? byNumber.get(pointer.version) : undefined;
  const origin = current?.restores === undefined ? current : byNumber.get(current.restores);
  const chained = origin?.basedOn;
  // The current version is gone or cannot be read: the newest below it that was in force.
  const below = pointer.kind === 'at' ? pointer.version : Infinity;
  const before =
    chained ?? versions.find((listed) => listed.version < below && listed.standing === 'past')?.version ?? 0;
  if (before > 0) return before;
  throw new CommandFailure('not_found', `${environment} has no version before the current one.`);
}

function versionOrCurrent(
  { table: items, environment }: Connection,
  version: number | undefined,
): Promise<ReadVersion> {
  return version === undefined ? readCurrent(items, environment) : readVersion(items, environment, version);
}

function oneSided(from: string): [string, string] {
  return isVersion(from) ? [from, 'current'] : ['current', from];
}

/** Whole where it is a stored version; a file is compared as it is, so that what is wrong with it can be seen too. */
async function anyConfig(connection: Connection, named: string): Promise<unknown> {
  if (!isVersion(named)) return readJson(named);
  return (await versionOrCurrent(connection, named === 'current' ? undefined : Number(named))).config;
}

function isVersion(named: string): boolean {
  return named === 'current' || /^[1-9]\d{0,9}$/.test(named);
}

function factsValue(facts: ReadVersion['facts']): Record<string, unknown> {
  return {
    version: facts.version,
    published_at: facts.publishedAt,
    published_by: facts.publishedBy,
    note: facts.note ?? null,
    based_on: facts.basedOn ?? null,
    restores: facts.restores ?? null,
    sha256: facts.sha256,
  };
}

function historyTable(versions: readonly ListedVersion[]): string {
  const rows = versions.map((listed) => [
    String(listed.version),
    listed.standing === 'current' ? 'in force' : listed.standing === 'past' ? '' : 'never in force',
    listed.publishedAt.replace(/\.\d+Z$/, 'Z'),
    listed.publishedBy,
    listed.note ?? '',
  ]);
  return table(['version', '', 'published', 'by', 'note'], rows);
}
