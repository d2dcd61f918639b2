/**
 * That the worker's issuer answers before AWS is told of it: IAM connects to it when the provider is made. Where the worker itself
 * serves the documents, a first deployment therefore puts it into service once without AWS. Owns that order and when it is needed;
 * leaves out making keys (`hybrid identity`).
 */
import { DISCOVERY_PATH, KEY_SET_PATH } from '../../shared/identity/documents.ts';
import { CommandFailure } from '../command-failure.ts';
import { openPublishedKeys, parseKeySet } from '../identity/published-keys.ts';
import { deployedUrl } from './wrangler.ts';

export type IdentityTools = {
  readonly fetch: typeof fetch;
  readonly sleep: (ms: number) => Promise<void>;
  /** Puts the worker into service, closed to callers. @returns what wrangler printed */
  readonly deployWorker: () => Promise<string>;
};

/** A new address takes a while to be known everywhere. */
const TRIES = 12;
const PAUSE_MS = 5_000;
const TIMEOUT_MS = 10_000;

/** @returns one line for people */
export async function publishIdentity(issuer: string, publicFolder: string, tools: IdentityTools): Promise<string> {
  const first = await look(issuer, tools.fetch);
  if (first.ok) return `${issuer} serves its keys already`;
  const keys = openPublishedKeys(publicFolder, issuer);
  if ((await keys.read()) === undefined) {
    throw new CommandFailure(
      'invalid',
      `${first.said}, and ${keys.folder} holds no keys of it. Make them: npx hybrid identity new --issuer ${issuer}`,
    );
  }
  const url = deployedUrl(await tools.deployWorker());
  let problem = first.said;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (attempt > 0) await tools.sleep(PAUSE_MS);
    const looked = await look(issuer, tools.fetch);
    if (looked.ok) return `${issuer} serves the keys of ${keys.folder}`;
    problem = looked.said;
  }
  const elsewhere = url === undefined || issuer.startsWith(`${url}/`) ? '' : ` The worker answers at ${url}.`;
  throw new CommandFailure(
    'unhealthy',
    `The worker is deployed, and ${problem}.${elsewhere} Nothing was made in AWS: IAM would not take this issuer. ` +
      `Publish ${keys.folder} there, or correct identity.issuer.`,
  );
}

type Looked = { readonly ok: boolean; readonly said: string };

async function look(issuer: string, send: typeof fetch): Promise<Looked> {
  try {
    const discovery: unknown = JSON.parse(await text(`${issuer}/${DISCOVERY_PATH}`, send));
    if (typeof discovery !== 'object' || discovery === null || Reflect.get(discovery, 'issuer') !== issuer) {
      return { ok: false, said: `${issuer} serves the discovery document of another issuer` };
    }
    const url = `${issuer}/${KEY_SET_PATH}`;
    parseKeySet(await text(url, send), url);
    return { ok: true, said: '' };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, said: `${issuer} does not serve its documents (${why})` };
  }
}

async function text(url: string, send: typeof fetch): Promise<string> {
  const response = await send(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.text();
}
