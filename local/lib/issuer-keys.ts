/**
 * An issuer's public keys, learnt as AWS learns them: discovery document, then the key set it names. Owns fetching, holding
 * and asking again for a key it does not know, which is how a rotation is noticed.
 */
import * as z from 'zod';
import { DISCOVERY_PATH } from '../../shared/identity/documents.ts';

/** Read loosely, as others' documents are. */
const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })) });

export type IssuerKey = z.infer<typeof keySetSchema>['keys'][number];

const TIMEOUT_MS = 5_000;

export type IssuerKeys = {
  /** Undefined where the issuer publishes no such key, or nothing that can be read. */
  find(issuer: string, kid: string): Promise<IssuerKey | undefined>;
};

export function createIssuerKeys(): IssuerKeys {
  const held = new Map<string, readonly IssuerKey[]>();
  return {
    async find(issuer, kid) {
      const known = held.get(issuer)?.find((key) => key.kid === kid);
      if (known !== undefined) return known;
      const keys = await fetchKeys(issuer).catch(() => undefined);
      if (keys === undefined) return undefined;
      held.set(issuer, keys);
      return keys.find((key) => key.kid === kid);
    },
  };
}

async function fetchKeys(issuer: string): Promise<readonly IssuerKey[]> {
  const discovery = discoverySchema.parse(await fetchJson(`${issuer}/${DISCOVERY_PATH}`));
  if (discovery.issuer !== issuer) throw new Error('the discovery document is of another issuer');
  return keySetSchema.parse(await fetchJson(discovery.jwks_uri)).keys;
}

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}
