/**
 * The folder of public files that a static host serves: an issuer's discovery document and key set in it. Owns where they
 * lie and that nothing private gets there; leaves out making keys and uploading.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  DISCOVERY_PATH,
  discoveryDocument,
  KEY_SET_PATH,
  keySetSchema,
  type KeySet,
  type PublicKey,
} from '../../shared/identity/documents.ts';
import { UserError } from '../user-error.ts';

export type PublishedKeys = {
  readonly issuer: string;
  readonly folder: string;
  /** Undefined where this issuer has none yet. Oldest first. */
  read(): Promise<readonly PublicKey[] | undefined>;
  write(keys: readonly PublicKey[]): Promise<void>;
};

/** As IAM takes an issuer: https, no port, no query; a path tells the environments of one host apart. */
export function parseIssuer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.port !== '' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new UserError(`--issuer must be an https URL without port, query or fragment, not "${text}"`);
  return url.href.replace(/\/$/, '');
}

export function openPublishedKeys(publicFolder: string, issuer: string): PublishedKeys {
  const folder = join(publicFolder, ...new URL(issuer).pathname.split('/').map(decodeURIComponent));
  const keySetFile = join(folder, KEY_SET_PATH);
  const discoveryFile = join(folder, DISCOVERY_PATH);
  return {
    issuer,
    folder,
    async read() {
      const text = await readFile(keySetFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (text === undefined) return undefined;
      const other = await issuerIn(discoveryFile);
      if (other !== issuer) {
        throw new UserError(
          `${folder} holds the documents of ${other ?? 'no issuer that can be read'}, not of ${issuer}. ` +
            `Give each environment's issuer a path of its own, such as ${new URL(issuer).origin}/identity/staging.`,
        );
      }
      return parseKeySet(text, keySetFile).keys;
    },
    async write(keys) {
      await writeJson(discoveryFile, discoveryDocument(issuer));
      await writeJson(keySetFile, keySetSchema.parse({ keys }));
    },
  };
}

/** Whose documents these are: two issuers of different hosts and the same path share a folder. */
async function issuerIn(discoveryFile: string): Promise<string | undefined> {
  try {
    const document: unknown = JSON.parse(await readFile(discoveryFile, 'utf8'));
    const issuer: unknown =
      typeof document === 'object' && document !== null ? Reflect.get(document, 'issuer') : undefined;
    return typeof issuer === 'string' ? issuer : undefined;
  } catch {
    return undefined;
  }
}

export function parseKeySet(text: string, where: string): KeySet {
  try {
    return keySetSchema.parse(JSON.parse(text));
  } catch {
    throw new UserError(`${where} is not a set of public signing keys`);
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}
