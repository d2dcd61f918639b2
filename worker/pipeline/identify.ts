/**
 * Who is asking. Keys are compared by digest in constant time; a configuration without keys is open.
 * Comes before the body is read: an unknown caller learns nothing about models and costs nothing.
 */
import { GatewayError } from '../../shared/errors.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import { BATCH_TOKEN_PREFIX } from '../../shared/names.ts';
import type { ApiKeySpec } from '../../shared/schema/config.ts';
import type { ConfigInForce } from '../ports.ts';

type Scope = ApiKeySpec['scopes'][number];
/** What a caller is about to do. Sending and reading batches needs the scope `infer`, and a key of one's own. */
type Purpose = Scope | 'batches';
export type Caller = { readonly tenant: string; readonly keyId: string | null };

export type Access = {
  /** SHA-256 (hex) of a key of the deployment itself, beside those of the configuration. */
  readonly deploymentKeySha256: Promise<string> | undefined;
  /** Where a table is configured, nobody is let in before its keys are known: the embedded configuration has none. */
  readonly waitForStoredConfig: boolean;
  /** Whose lines a batch's token lets in, or undefined. Absent where there are no batches. */
  readonly batchTenantOf?: ((token: string) => Promise<string | undefined>) | undefined;
};

/** `closed`: until the stored configuration is known, nobody can be told from anybody. */
export type Door = 'keys' | 'open' | 'closed';

export function doorOf({ config, source }: Pick<ConfigInForce, 'config' | 'source'>, access: Access): Door {
  if (config.api_keys.length > 0 || access.deploymentKeySha256 !== undefined) return 'keys';
  return access.waitForStoredConfig && source === 'embedded' ? 'closed' : 'open';
}

const OPEN_CALLER: Caller = { tenant: 'open', keyId: null };

export async function identify(
  apiKey: string | undefined,
  purpose: Purpose,
  inForce: ConfigInForce,
  access: Access,
): Promise<Caller> {
  if (access.batchTenantOf !== undefined && apiKey?.startsWith(BATCH_TOKEN_PREFIX) === true) {
    const tenant = await access.batchTenantOf(apiKey);
    if (tenant === undefined) throw new GatewayError('unauthorized', "This batch's time is over.");
    if (purpose !== 'infer') throw new GatewayError('forbidden', 'A batch may ask for answers and nothing else.');
    return { tenant, keyId: 'batch' };
  }
  const door = doorOf(inForce, access);
  if (door === 'open') return OPEN_CALLER;
  if (door === 'closed') {
    throw new GatewayError(
      'not_configured',
      'The configuration has not been loaded yet, so callers cannot be told apart.',
      { retryAfterMs: 1_000 },
    );
  }
  if (apiKey === undefined) {
    throw new GatewayError('unauthorized', 'Send an API key: authorization: Bearer KEY, or x-api-key: KEY.');
  }
  const digest = await sha256Hex(apiKey);
  const deploymentKey = await access.deploymentKeySha256;
  if (deploymentKey !== undefined && equalInConstantTime(digest, deploymentKey))
    return { tenant: 'default', keyId: 'deployment' };
  const key = findKey(digest, inForce.config.api_keys);
  if (key === undefined || !key.enabled) throw new GatewayError('unauthorized', 'This API key is not known.');
  const scope = purpose === 'batches' ? 'infer' : purpose;
  if (!key.scopes.includes(scope))
    throw new GatewayError('forbidden', `This API key does not have the scope "${scope}".`);
  return { tenant: key.tenant, keyId: key.id };
}

export function apiKeyFrom(headers: Headers): string | undefined {
  const authorization = headers.get('authorization');
  if (authorization !== null && /^bearer /i.test(authorization)) return authorization.slice('bearer '.length).trim();
  return headers.get('x-api-key') ?? undefined;
}

export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return toHex(new Uint8Array(digest));
}

/** Looks at every key, so that the time taken says nothing about which one matched. */
function findKey(digest: string, keys: readonly ApiKeySpec[]): ApiKeySpec | undefined {
  let found: ApiKeySpec | undefined;
  for (const key of keys) {
    if (equalInConstantTime(digest, key.sha256)) found = key;
  }
  return found;
}

export function equalInConstantTime(left: string, right: string): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index += 1) difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  return difference === 0;
}
