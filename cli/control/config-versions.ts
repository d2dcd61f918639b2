/**
 * The versions of one environment's configuration: which is current, what each holds, what was ever in force. Reading only;
 * writing is publish-config.ts.
 */
import {
  parseConfigBody,
  parsePointer,
  parseVersion,
  parseVersionFacts,
  pointerKey,
  versionKey,
  type Item,
  type VersionFacts,
} from '../../shared/config/config-items.ts';
import { StoredConfigError } from '../../shared/config/stored-config-error.ts';
import { configPartition } from '../../shared/names.ts';
import type { Config } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';
import { unpackBody } from './config-body.ts';
import type { ControlTable } from './control-table.ts';

/** Where the pointer stands, as it was seen: what a publish must find unchanged. */
export type Pointer =
  | { readonly kind: 'absent' }
  | { readonly kind: 'at'; readonly version: number }
  | { readonly kind: 'unreadable'; readonly item: Item; readonly problem: string };

export async function readPointer(table: ControlTable, environment: string): Promise<Pointer> {
  const item = await table.get(pointerKey(environment));
  if (item === undefined) return { kind: 'absent' };
  try {
    return { kind: 'at', version: parsePointer(item) };
  } catch (error) {
    if (!(error instanceof StoredConfigError)) throw error;
    return { kind: 'unreadable', item, problem: error.message };
  }
}

export type ReadVersion = { readonly facts: VersionFacts; readonly config: Config };

/** @throws CommandFailure `not_found`, or `invalid` where its item is not a configuration this code understands */
export async function readVersion(table: ControlTable, environment: string, version: number): Promise<ReadVersion> {
  const item = await table.get(versionKey(environment, version));
  if (item === undefined) {
    throw new CommandFailure('not_found', `There is no version ${version} of ${environment}'s configuration.`);
  }
  try {
    const { body: _body, ...facts } = parseVersion(item);
    return { facts, config: parseConfigBody(unpackBody(parseVersion(item))) };
  } catch (error) {
    if (!(error instanceof StoredConfigError)) throw error;
    throw new CommandFailure('invalid', `Version ${version} cannot be used: ${error.message}.`);
  }
}

/** What is in force, or why nothing readable is. */
export async function readCurrent(table: ControlTable, environment: string): Promise<ReadVersion> {
  const pointer = await readPointer(table, environment);
  switch (pointer.kind) {
    case 'absent':
      throw new CommandFailure('not_found', `No configuration was ever published for ${environment}.`);
    case 'unreadable':
      throw new CommandFailure('invalid', `${pointer.problem}; publish, or roll back, to mend it.`);
    case 'at':
      return readVersion(table, environment, pointer.version);
  }
}

export type ListedVersion = VersionFacts & {
  /** `never`: its publisher was stopped, or beaten, before the pointer moved. */
  readonly standing: 'current' | 'past' | 'never';
};

const FACT_ATTRIBUTES = [
  'version',
  'sha256',
  'published_at',
  'published_by',
  'encoding',
  'based_on',
  'restores',
  'note',
] as const;

/** Newest first. Items that are no versions are left out; `hybrid status` names what is wrong with the current one. */
export async function listVersions(table: ControlTable, environment: string): Promise<readonly ListedVersion[]> {
  const items = await table.query(configPartition(environment), 'V#', FACT_ATTRIBUTES);
  const versions = items.flatMap((item) => factsOf(item) ?? []).sort((left, right) => right.version - left.version);
  const pointer = await readPointer(table, environment);
  const inForce = chainFrom(pointer, new Map(versions.map((facts) => [facts.version, facts])));
  return versions.map((facts) => ({
    ...facts,
    standing:
      pointer.kind === 'at' && facts.version === pointer.version
        ? 'current'
        : inForce === undefined || inForce.has(facts.version)
          ? 'past'
          : 'never',
  }));
}

function factsOf(item: Item): VersionFacts | undefined {
  try {
    return parseVersionFacts(item);
  } catch (error) {
    if (error instanceof StoredConfigError) return undefined;
    throw error;
  }
}

/** Every version that was in force, back from the pointer; undefined where the chain cannot be followed to its start. */
function chainFrom(pointer: Pointer, versions: ReadonlyMap<number, VersionFacts>): ReadonlySet<number> | undefined {
  if (pointer.kind !== 'at') return undefined;
  const chain = new Set<number>();
  let at: number | undefined = pointer.version;
  while (at !== undefined && at > 0 && !chain.has(at)) {
    chain.add(at);
    at = versions.get(at)?.basedOn;
  }
  return at === 0 ? chain : undefined;
}
