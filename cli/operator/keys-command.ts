/**
 * `hybrid keys`: API keys with tenants. The configuration holds digests; a key itself is shown once, when it is made, and is
 * stored nowhere.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { addKey, revokeKey } from '../../shared/control/edit-config.ts';
import type { ApiKeySpec, Config } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';
import { readCurrent } from '../control/config-versions.ts';
import type { GlobalFlags } from './connection.ts';
import { performOnTable, type Operator } from './operator.ts';
import { collect } from './parse-option.ts';
import { addPublishOptions, publishEdit, type PublishFlags } from './publish-change.ts';
import { table, type Report } from './terminal.ts';

const SCOPES = ['infer', 'read'] as const satisfies readonly ApiKeySpec['scopes'][number][];
type Scope = (typeof SCOPES)[number];
type CreateFlags = PublishFlags & { readonly tenant: string; readonly id?: string; readonly scope?: readonly Scope[] };

const KEY_BYTES = 32;

export function createKeysCommand(operator: Operator): Command {
  return new Command('keys')
    .description('API keys. Only their SHA-256 digests are published; without any key the gateway is open to all.')
    .addCommand(
      new Command('list')
        .description('Keys of the current configuration.')
        .action((_flags: GlobalFlags, command: Command) =>
          performOnTable(operator, command.optsWithGlobals<GlobalFlags>(), async (connection) => {
            const { facts, config } = await readCurrent(connection.table, connection.environment);
            return { value: { version: facts.version, keys: config.api_keys }, text: keysTable(config) };
          }),
        ),
    )
    .addCommand(
      addPublishOptions(new Command('create'))
        .description('Makes a key, publishes its digest and prints the key once.')
        .requiredOption('--tenant <name>', 'whose key it is')
        .option('--id <name>', 'what the key is called (default: the tenant and a number)')
        .option('--scope <scope>', `${SCOPES.join(' or ')}; repeat it (default: infer)`, collect(parseScope))
        .action((_flags: CreateFlags, command: Command) =>
          performOnTable(operator, command.optsWithGlobals<CreateFlags>(), async (connection, flags) => {
            const key = `hk_${randomBytes(KEY_BYTES).toString('base64url')}`;
            let id = '';
            const report = await publishEdit(
              operator,
              connection,
              flags,
              (config) => {
                id = flags.id ?? freeId(config, flags.tenant);
                return addKey(config, keySpec(config, id, key, flags));
              },
              `keys create for ${flags.tenant}`,
            );
            return flags.dryRun === true ? report : withKey(report, id, key);
          }),
        ),
    )
    .addCommand(
      addPublishOptions(new Command('revoke'))
        .description('Lets a key in no longer. It stays listed, disabled.')
        .argument('<id>')
        .action((id: string, _flags: PublishFlags, command: Command) =>
          performOnTable(operator, command.optsWithGlobals<PublishFlags>(), (connection, flags) =>
            publishEdit(operator, connection, flags, (config) => revokeKey(config, id), `keys revoke ${id}`),
          ),
        ),
    );
}

function keySpec(config: Config, id: string, key: string, { tenant, scope }: CreateFlags): ApiKeySpec {
  if (config.api_keys.some((known) => known.id === id)) {
    throw new CommandFailure('usage', `There is a key ${id} already; give another --id.`);
  }
  const scopes = [...new Set(scope ?? ['infer' as const])];
  return { id, sha256: createHash('sha256').update(key).digest('hex'), tenant, scopes, enabled: true };
}

function freeId(config: Config, tenant: string): string {
  for (let number = 1; ; number += 1) {
    const id = `${tenant}-${number}`;
    if (!config.api_keys.some((key) => key.id === id)) return id;
  }
}

function withKey(report: Report, id: string, key: string): Report {
  return {
    ...report,
    value: { ...report.value, id, key },
    text: `${report.text}\n\nKey ${id}, shown this once:\n${key}`,
  };
}

function parseScope(text: string): Scope {
  const scope = SCOPES.find((known) => known === text);
  if (scope === undefined) throw new InvalidArgumentError(`It is not ${SCOPES.join(' or ')}.`);
  return scope;
}

function keysTable({ api_keys: keys }: Config): string {
  if (keys.length === 0) return 'There is no key: the gateway is open to all.';
  const rows = keys.map((key) => [
    key.id,
    key.tenant,
    key.scopes.join(' '),
    key.enabled ? 'enabled' : 'revoked',
    `${key.sha256.slice(0, 12)}...`,
  ]);
  return table(['key', 'tenant', 'scopes', 'state', 'sha-256'], rows);
}
