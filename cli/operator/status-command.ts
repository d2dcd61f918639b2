/**
 * `hybrid status`: what is in force and where, what is wrong with it, how the targets are. Exit status 6 where something
 * is not as it should be, so that a script can ask.
 */
import { Command } from 'commander';
import { versionsHeld, type HeldVersion } from '../../shared/control/isolate-report.ts';
import { CommandFailure } from '../command-failure.ts';
import { readPointer, readVersion, type ReadVersion } from '../control/config-versions.ts';
import { readIsolateReports } from '../control/isolate-reports.ts';
import type { Connection, GlobalFlags } from './connection.ts';
import { performOnTable, type Operator } from './operator.ts';
import { addShardsOption, shardsOf, type ShardsFlags } from './publish-change.ts';
import { table, type Report } from './terminal.ts';

type StatusFlags = GlobalFlags & ShardsFlags;

/** A publish is promised to be in force everywhere by then. */
const IN_FORCE_WITHIN_MS = 30_000;

export function createStatusCommand(operator: Operator): Command {
  return addShardsOption(new Command('status'))
    .description('What is in force, how many isolates hold it, what is wrong; exit 6 where something is.')
    .action((_flags: StatusFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<StatusFlags>(), (connection, flags) =>
        statusReport(operator, connection, flags),
      ),
    );
}

type Current = { readonly version: number | null; readonly read?: ReadVersion; readonly problem: string | null };

async function statusReport(operator: Operator, connection: Connection, flags: StatusFlags): Promise<Report> {
  const nowMs = operator.nowMs();
  const current = await currentOf(connection);
  const held = versionsHeld(await readIsolateReports(connection.table, shardsOf(flags, operator.env), nowMs));
  const problems = problemsOf(current, held, nowMs);
  return {
    value: {
      environment: connection.environment,
      table: connection.table.name,
      current: {
        version: current.version,
        published_at: current.read?.facts.publishedAt ?? null,
        published_by: current.read?.facts.publishedBy ?? null,
        note: current.read?.facts.note ?? null,
        problem: current.problem,
      },
      isolates: held.map(heldValue),
      healthy: problems.length === 0,
      problems,
    },
    text: [
      `${connection.environment} in ${connection.table.name}: ${describeCurrent(current)}`,
      '',
      held.length === 0 ? 'No isolate has reported in the last minutes.' : heldTable(held, nowMs),
      ...(problems.length === 0 ? [] : ['', ...problems.map((problem) => `PROBLEM  ${problem}`)]),
    ].join('\n'),
    unhealthy: problems.length > 0,
  };
}

async function currentOf({ table: items, environment }: Connection): Promise<Current> {
  const pointer = await readPointer(items, environment);
  if (pointer.kind === 'absent') return { version: null, problem: 'no configuration was ever published' };
  if (pointer.kind === 'unreadable') return { version: null, problem: pointer.problem };
  try {
    return { version: pointer.version, read: await readVersion(items, environment, pointer.version), problem: null };
  } catch (error) {
    if (error instanceof CommandFailure && (error.code === 'invalid' || error.code === 'not_found')) {
      return { version: pointer.version, problem: error.message };
    }
    throw error;
  }
}

function problemsOf(current: Current, held: readonly HeldVersion[], nowMs: number): string[] {
  const problems: string[] = [];
  if (current.problem !== null) {
    problems.push(`${current.problem} The last good version stays in force; \`hybrid config rollback\` mends it.`);
  }
  const publishedAtMs = current.read === undefined ? undefined : Date.parse(current.read.facts.publishedAt);
  for (const { version, isolates, lastReportedMs, problems: said } of held) {
    problems.push(...said.map((sentence) => `isolates that hold ${version} say: ${sentence}`));
    const isLate =
      publishedAtMs !== undefined &&
      nowMs - publishedAtMs > IN_FORCE_WITHIN_MS &&
      version !== String(current.version) &&
      lastReportedMs - publishedAtMs > IN_FORCE_WITHIN_MS;
    if (isLate) problems.push(`${isolates} isolates still hold ${version}`);
  }
  return problems;
}

function heldValue({ version, isolates, places, lastReportedMs, problems }: HeldVersion): object {
  return { version, isolates, places, last_reported: new Date(lastReportedMs).toISOString(), problems };
}

function describeCurrent({ version, read }: Current): string {
  if (version === null) return 'no current version';
  if (read === undefined) return `version ${version} is current and cannot be used`;
  const { publishedBy, publishedAt, note } = read.facts;
  return `version ${version} is current, published by ${publishedBy} at ${publishedAt}${note === undefined ? '' : ` (${note})`}`;
}

function heldTable(held: readonly HeldVersion[], nowMs: number): string {
  const rows = held.map(({ version, isolates, places, lastReportedMs }) => [
    version,
    String(isolates),
    Object.entries(places)
      .map(([place, count]) => `${place} ${count}`)
      .join(', '),
    `${Math.max(0, Math.round((nowMs - lastReportedMs) / 1_000))} s ago`,
  ]);
  return table(['version', 'isolates', 'where', 'last report'], rows);
}
