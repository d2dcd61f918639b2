/**
 * Publishes a configuration: a new immutable version, then the pointer, moved only from where this publisher saw it.
 * Nothing is in force until the pointer moves; two publishers at once cannot both win, and the one that lost is told
 * by whom it was beaten and what changed.
 */
import { movePointer, mendPointer, putVersion, type StoredVersion } from '../../shared/config/config-items.ts';
import { parseConfig } from '../../shared/config/parse-config.ts';
import { diffConfigs, type Change } from '../../shared/control/diff-configs.ts';
import type { Config } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';
import { packConfig } from './config-body.ts';
import { listVersions, readPointer, readVersion, type Pointer, type ReadVersion } from './config-versions.ts';
import type { ControlTable } from './control-table.ts';

export type Publication = {
  readonly value: unknown;
  readonly by: string;
  readonly note?: string;
  /** The version the change was made from; left out, whatever is current when publishing begins. */
  readonly basedOn?: number;
  readonly restores?: number;
  readonly nowMs: number;
};

export type Published = { readonly version: number; readonly config: Config; readonly publishedAt: string };

const MAX_ABANDONED_VERSIONS = 20;

/** @throws CommandFailure: `invalid` with every problem and its path, `conflict` where somebody else was faster */
export async function publishConfig(
  table: ControlTable,
  environment: string,
  publication: Publication,
): Promise<Published> {
  const config = mustBeWhole(publication.value);
  const packed = packConfig(config);
  const pointer = await readPointer(table, environment);
  const current = versionAt(pointer);
  if (publication.basedOn !== undefined && publication.basedOn !== current) {
    throw await beaten(table, environment, publication.basedOn);
  }
  const publishedAt = new Date(publication.nowMs).toISOString();
  const stored: Omit<StoredVersion, 'version'> = {
    ...packed,
    publishedAt,
    publishedBy: publication.by,
    basedOn: current,
    ...(publication.restores === undefined ? {} : { restores: publication.restores }),
    ...(publication.note === undefined ? {} : { note: publication.note }),
  };
  const version = await putNext(table, environment, stored, pointer);
  const move =
    pointer.kind === 'unreadable'
      ? mendPointer(environment, pointer.item, version)
      : movePointer(environment, current === 0 ? undefined : current, version);
  if (await table.putIf(move)) return { version, config, publishedAt };
  throw await beaten(table, environment, current);
}

export function mustBeWhole(value: unknown): Config {
  const parsed = parseConfig(value);
  if (parsed.ok) return parsed.config;
  const lines = parsed.problems.map(({ path, message }) => `  ${path}: ${message}`);
  throw new CommandFailure('invalid', `The configuration is not valid:\n${lines.join('\n')}`, {
    problems: parsed.problems,
  });
}

/** A publisher that died between its two puts leaves a version nobody points to: its number is passed over. */
async function putNext(
  table: ControlTable,
  environment: string,
  stored: Omit<StoredVersion, 'version'>,
  pointer: Pointer,
): Promise<number> {
  // An unreadable pointer says nothing of the numbers that are taken.
  const first =
    pointer.kind === 'at' ? pointer.version + 1 : ((await listVersions(table, environment)).at(0)?.version ?? 0) + 1;
  for (let version = first; version < first + MAX_ABANDONED_VERSIONS; version += 1) {
    if (await table.putIf(putVersion(environment, { ...stored, version }))) return version;
    // Taken: by one that died, or by one that is about to win. The second is better learnt before writing.
    const now = await readPointer(table, environment);
    if (versionAt(now) !== versionAt(pointer)) throw await beaten(table, environment, versionAt(pointer));
  }
  throw new CommandFailure(
    'failed',
    `Versions ${first} to ${first + MAX_ABANDONED_VERSIONS - 1} exist, but none is current; look at hybrid config history.`,
  );
}

function versionAt(pointer: Pointer): number {
  return pointer.kind === 'at' ? pointer.version : 0;
}

async function beaten(table: ControlTable, environment: string, from: number): Promise<CommandFailure> {
  const at = versionAt(await readPointer(table, environment));
  const winner = await readable(table, environment, at);
  const before = await readable(table, environment, from);
  const changes: readonly Change[] =
    winner === undefined || before === undefined ? [] : diffConfigs(before.config, winner.config);
  const who = winner === undefined ? '' : `, published by ${winner.facts.publishedBy} at ${winner.facts.publishedAt}`;
  const what = changes.map((change) => `  ${change.path}`).join('\n');
  return new CommandFailure(
    'conflict',
    `Another publisher was faster: version ${at} is current${who}, and yours was made from ${from}. Nothing was changed.` +
      (what === '' ? '' : `\nIt changed:\n${what}`) +
      `\nLook at \`hybrid config diff ${from} ${at}\`, and make your change again from version ${at}.`,
    {
      based_on: from,
      current: at,
      published_by: winner?.facts.publishedBy ?? null,
      published_at: winner?.facts.publishedAt ?? null,
      changes,
    },
  );
}

async function readable(table: ControlTable, environment: string, version: number): Promise<ReadVersion | undefined> {
  if (version === 0) return undefined;
  try {
    return await readVersion(table, environment, version);
  } catch (error) {
    if (error instanceof CommandFailure && (error.code === 'invalid' || error.code === 'not_found')) return undefined;
    throw error;
  }
}
