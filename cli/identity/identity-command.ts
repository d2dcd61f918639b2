/**
 * The `identity` command: the worker's key pair, its rotation, and what is published of it. Owns the order in which a
 * rotation must happen, and says it; leaves out uploading, which is `wrangler`'s.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { createIdentityKeyPair, type IdentityAlgorithm } from '../../local/identity-keys.ts';
import { DISCOVERY_PATH, KEY_SET_PATH, type PublicKey } from '../../shared/identity/documents.ts';
import { UserError } from '../user-error.ts';
import { openPublishedKeys, parseIssuer, parseKeySet, type PublishedKeys } from './published-keys.ts';

type Print = (text: string) => void;
type Flags = { readonly issuer: string; readonly public: string; readonly json: boolean };
type KeyFlags = Flags & { readonly keys: string; readonly algorithm: IdentityAlgorithm };

/** STS may hold a key set for a while, and tokens signed with the old key may be on their way. */
const WAIT_BEFORE_SWITCH = 'ten minutes';

export function createIdentityCommand(print: Print, fetchText: (url: string) => Promise<string>): Command {
  return new Command('identity')
    .description("The worker's own identity, which AWS exchanges for credentials: no AWS key in the worker.")
    .addCommand(
      withKeyOptions(new Command('new'))
        .description('Makes the first key pair: the private half into a file, the public half into the public folder.')
        .action(async (flags: KeyFlags) => print(await makeFirst(flags))),
    )
    .addCommand(
      withKeyOptions(new Command('rotate'))
        .description('Adds the next key beside the present one; with --finish, withdraws the old one.')
        .option('--finish', 'the worker signs with the new key: withdraw the old one', false)
        .action(async (flags: KeyFlags & { readonly finish: boolean }) =>
          print(flags.finish ? await finishRotation(flags) : await beginRotation(flags)),
        ),
    )
    .addCommand(
      withOptions(new Command('jwks'))
        .description('Shows the published keys; with --check, compares them with what the issuer really serves.')
        .option('--check', 'fetch the documents from the issuer; exit 1 where they differ', false)
        .action(async (flags: Flags & { readonly check: boolean }) => print(await showKeys(flags, fetchText))),
    );
}

function withOptions(command: Command): Command {
  return command
    .requiredOption('--issuer <url>', 'the address of the published documents, as in identity.issuer of cdk.json')
    .option('--public <folder>', 'the folder of static files', 'public')
    .option('--json', 'print one JSON object', false);
}

function withKeyOptions(command: Command): Command {
  return withOptions(command)
    .option('--keys <folder>', 'where the private key goes, readable by you alone', '.identity')
    .addOption(new Option('--algorithm <name>', 'of the signature').choices(['ES256', 'RS256']).default('ES256'));
}

function published(flags: Flags): PublishedKeys {
  return openPublishedKeys(flags.public, parseIssuer(flags.issuer));
}

async function makeFirst(flags: KeyFlags): Promise<string> {
  const keys = published(flags);
  if ((await keys.read()) !== undefined)
    throw new UserError(`${keys.folder} already holds keys of ${keys.issuer}; use: npx hybrid identity rotate`);
  const { file, publicKey } = await makeKey(flags);
  await keys.write([publicKey]);
  return report(flags, { kid: publicKey.kid, key_file: file, published_in: keys.folder, keys: [publicKey.kid] }, [
    `Private key: ${file} (kid ${publicKey.kid}). Public documents: ${keys.folder}`,
    'Next, with your environment in place of production:',
    `  set identity.issuer to ${keys.issuer} in the settings ("hybrid" in cdk.json, or a file for --settings)`,
    `  WORKER_IDENTITY_KEY="$(cat ${file})" npm run deploy -- --environment production`,
    `  commit ${keys.folder}; delete ${file} once the worker has it`,
  ]);
}

async function beginRotation(flags: KeyFlags): Promise<string> {
  const keys = published(flags);
  const present = await keysOf(keys);
  if (present.length > 1)
    throw new UserError('a rotation is under way: once the worker signs with the newest key, add --finish');
  const { file, publicKey } = await makeKey(flags);
  await keys.write([...present, publicKey]);
  const kids = [...present, publicKey].map(({ kid }) => kid);
  return report(flags, { kid: publicKey.kid, key_file: file, published_in: keys.folder, keys: kids }, [
    `Next key: ${file} (kid ${publicKey.kid}). Both keys are in ${keys.folder}. In this order:`,
    '  npx wrangler deploy --env production',
    `  npx hybrid identity jwks --issuer ${keys.issuer} --check    # then wait ${WAIT_BEFORE_SWITCH}`,
    `  npx wrangler secret put IDENTITY_KEY --env production < ${file}`,
    `  npx hybrid identity rotate --issuer ${keys.issuer} --finish    # after ${WAIT_BEFORE_SWITCH} more`,
    '  npx wrangler deploy --env production',
  ]);
}

async function finishRotation(flags: Flags): Promise<string> {
  const keys = published(flags);
  const present = await keysOf(keys);
  const newest = present.at(-1);
  if (newest === undefined || present.length < 2) throw new UserError('no rotation is under way: there is one key');
  await keys.write([newest]);
  const withdrawn = present.slice(0, -1).map(({ kid }) => kid);
  return report(flags, { kid: newest.kid, withdrawn, published_in: keys.folder, keys: [newest.kid] }, [
    `Withdrawn: ${withdrawn.join(', ')}. In force: ${newest.kid}. Next:`,
    '  npx wrangler deploy --env production',
  ]);
}

async function showKeys(
  flags: Flags & { readonly check: boolean },
  fetchText: (url: string) => Promise<string>,
): Promise<string> {
  const keys = published(flags);
  const present = await keysOf(keys);
  if (flags.check) await checkServed(keys, present, fetchText);
  if (flags.json) return JSON.stringify({ issuer: keys.issuer, checked: flags.check, keys: present });
  const lines = present.map(({ kid, alg }, index) => `${kid}  ${alg}${index === present.length - 1 ? '  newest' : ''}`);
  return [...lines, ...(flags.check ? [`${keys.issuer} serves these keys.`] : [])].join('\n');
}

async function checkServed(
  keys: PublishedKeys,
  present: readonly PublicKey[],
  fetchText: (url: string) => Promise<string>,
): Promise<void> {
  const discovery: unknown = JSON.parse(await fetchText(`${keys.issuer}/${DISCOVERY_PATH}`));
  if (typeof discovery !== 'object' || discovery === null || Reflect.get(discovery, 'issuer') !== keys.issuer)
    throw new UserError(`${keys.issuer} serves a discovery document of another issuer`);
  const url = `${keys.issuer}/${KEY_SET_PATH}`;
  const served = parseKeySet(await fetchText(url), url).keys.map(({ kid }) => kid);
  const expected = present.map(({ kid }) => kid);
  if (served.join() !== expected.join())
    throw new UserError(`${url} serves ${served.join(', ')}; ${keys.folder} holds ${expected.join(', ')}: deploy it`);
}

async function keysOf(keys: PublishedKeys): Promise<readonly PublicKey[]> {
  const present = await keys.read();
  if (present === undefined)
    throw new UserError(`${keys.folder} holds no keys of ${keys.issuer}; begin with: npx hybrid identity new`);
  return present;
}

async function makeKey(flags: KeyFlags): Promise<{ readonly file: string; readonly publicKey: PublicKey }> {
  const { privateJwk, publicKey } = createIdentityKeyPair(flags.algorithm);
  await mkdir(flags.keys, { recursive: true, mode: 0o700 });
  const file = join(flags.keys, `${publicKey.kid}.json`);
  await writeFile(file, JSON.stringify(privateJwk), { mode: 0o600, flag: 'wx' });
  return { file, publicKey };
}

function report(flags: Flags, facts: Readonly<Record<string, unknown>>, lines: readonly string[]): string {
  return flags.json ? JSON.stringify({ issuer: parseIssuer(flags.issuer), ...facts }) : lines.join('\n');
}
