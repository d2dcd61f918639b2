/** The identity command as an operator types it: first key, rotation in its order, and what must never happen. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createIdentityCommand } from '../../cli/identity/identity-command.ts';
import { keySetSchema } from '../../shared/identity/documents.ts';
import { createTokenSigner, parseSigningKey } from '../../worker/aws/signing-key.ts';
import { isSignedBy, readWebToken } from '../../local/lib/web-token.ts';

const ISSUER = 'https://edge.example.com/identity/staging';
const scratch = mkdtempSync(join(tmpdir(), 'hybrid-identity-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let folder = '';
let served: (url: string) => string;
let runs = 0;
beforeEach(() => {
  folder = join(scratch, String((runs += 1)));
  served = (url) => readFileSync(join(folder, 'public', new URL(url).pathname), 'utf8');
});

const identity = (...args: string[]): Promise<string> => identityOf(ISSUER, ...args);

async function identityOf(issuer: string, ...args: string[]): Promise<string> {
  const lines: string[] = [];
  await createIdentityCommand(
    (text) => lines.push(text),
    (url) => Promise.resolve(served(url)),
  )
    .exitOverride()
    .parseAsync([...args, '--issuer', issuer, '--public', join(folder, 'public')], { from: 'user' });
  return lines.join('\n');
}
const make = (...args: string[]): Promise<string> => identity(...args, '--keys', join(folder, 'private'));

function publishedKeys() {
  const text = readFileSync(join(folder, 'public/identity/staging/.well-known/jwks.json'), 'utf8');
  return keySetSchema.parse(JSON.parse(text)).keys;
}

describe('hybrid identity', () => {
  it.each(['ES256', 'RS256'])(
    'makes a key that the worker can sign with and the published half verifies (%s)',
    async (algorithm) => {
      const made: { key_file: string; kid: string } = JSON.parse(await make('new', '--json', '--algorithm', algorithm));
      expect(statSync(made.key_file).mode & 0o777).toBe(0o600);
      const key = parseSigningKey(readFileSync(made.key_file, 'utf8'));
      expect([key.kid, key.alg]).toEqual([made.kid, algorithm]);
      const [publicKey] = publishedKeys();
      const nowS = Math.floor(Date.now() / 1000);
      const token = readWebToken(
        await createTokenSigner(key)({ iss: ISSUER, sub: 's', aud: 'a', iat: nowS, exp: nowS + 60 }),
      );
      if (token === undefined || publicKey === undefined) throw new Error('no token or no key');
      expect(isSignedBy(token, publicKey)).toBe(true);
      expect(isSignedBy({ ...token, signed: `${token.signed}x` }, publicKey)).toBe(false);
    },
  );

  it.each(['new', 'rotate', 'jwks'])(
    '%s leaves alone the documents of another issuer of the same path',
    async (verb) => {
      await make('new');
      const before = publishedKeys();
      const keys = verb === 'jwks' ? [] : ['--keys', join(folder, 'private')];
      await expect(identityOf('https://other.example.com/identity/staging', verb, ...keys)).rejects.toThrow(
        `documents of ${ISSUER}, not of https://other.example.com`,
      );
      expect(publishedKeys()).toEqual(before);
      expect(await identity('jwks', '--check')).toContain('serves these keys');
    },
  );

  it('publishes nothing private, under the path of the issuer', async () => {
    await make('new');
    const files = readdirSync(join(folder, 'public'), { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    );
    expect(files.map(({ name }) => name).sort()).toEqual(['jwks.json', 'openid-configuration']);
    const discovery: unknown = JSON.parse(served(`${ISSUER}/.well-known/openid-configuration`));
    expect(discovery).toMatchObject({ issuer: ISSUER, jwks_uri: `${ISSUER}/.well-known/jwks.json` });
    expect(served(`${ISSUER}/.well-known/jwks.json`)).not.toContain('"d"');
  });

  it('does not overwrite a key that is in force', async () => {
    await make('new');
    const [before] = publishedKeys();
    await expect(make('new')).rejects.toThrow('use: npx hybrid identity rotate');
    expect(publishedKeys()).toEqual([before]);
  });

  it('rotates in two steps: both keys, then the new one alone', async () => {
    await make('new');
    const [old] = publishedKeys();
    await expect(make('rotate', '--finish')).rejects.toThrow('no rotation is under way');
    await make('rotate');
    const both = publishedKeys();
    expect(both[0]).toEqual(old);
    expect(both).toHaveLength(2);
    await expect(make('rotate')).rejects.toThrow('a rotation is under way');
    await make('rotate', '--finish');
    expect(publishedKeys()).toEqual([both[1]]);
  });

  it('says whether the issuer serves what the folder holds', async () => {
    await make('new');
    expect(await identity('jwks', '--check')).toContain('serves these keys');
    const old = served(`${ISSUER}/.well-known/jwks.json`);
    await make('rotate');
    served = (url) => (url.endsWith('jwks.json') ? old : JSON.stringify({ issuer: ISSUER }));
    await expect(identity('jwks', '--check')).rejects.toThrow('deploy it');
    served = () => '{"issuer":"https://other.example"}';
    await expect(identity('jwks', '--check')).rejects.toThrow('another issuer');
  });

  it('needs a first key before anything else, and an issuer that IAM would take', async () => {
    await expect(make('rotate')).rejects.toThrow('begin with: npx hybrid identity new');
    const wrong = createIdentityCommand(
      () => undefined,
      () => Promise.resolve(''),
    ).exitOverride();
    await expect(
      wrong.parseAsync(['new', '--issuer', 'http://edge.example.com:8080', '--public', folder], { from: 'user' }),
    ).rejects.toThrow('https URL without port');
  });
});
