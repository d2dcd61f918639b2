/**
 * Credentials without keys, end to end over sockets: the worker's own token, the keys its issuer publishes, the stand-in of
 * STS that verifies both, and the stand-in of DynamoDB that takes what was given. AWS's own client is the second witness.
 */
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startDynamoDb } from '../../local/aws/dynamodb.ts';
import type { DynamoDb } from '../../local/aws/dynamodb.ts';
import { roleArn, startSts } from '../../local/aws/sts.ts';
import type { Sts } from '../../local/aws/sts.ts';
import { startIdentityHost } from '../../local/identity-host.ts';
import type { IdentityHost } from '../../local/identity-host.ts';
import { createIdentityKeyPair } from '../../local/identity-keys.ts';
import { GatewayError } from '../../shared/errors.ts';
import { createTokenSigner, parseSigningKey } from '../../worker/aws/signing-key.ts';
import { assumeRole } from '../../worker/aws/sts.ts';
import { createWorkerCredentials } from '../../worker/aws/worker-credentials.ts';
import { parseEnv } from '../../worker/env.ts';
import { createDynamoClient } from '../../worker/store/dynamodb-client.ts';
import { DYNAMODB_BACKEND } from '../fixtures/local/dynamodb-backend.ts';
import { KEY, REGION } from '../fixtures/local/keys.ts';

const AUDIENCE = 'sts.amazonaws.com';
const SUBJECT = 'hybrid-inference-test-worker';
const ROLE = 'worker';
const never = new AbortController().signal;
const current = createIdentityKeyPair('ES256');
const next = createIdentityKeyPair('RS256');
const strangers = createIdentityKeyPair('ES256');

let host: IdentityHost;
let sts: Sts;
let nowMs: number;
let lifetimeMs: number | undefined;
const client = () => new STSClient({ endpoint: sts.url, region: REGION, maxAttempts: 1, credentials: KEY });

beforeEach(async () => {
  nowMs = Date.now();
  lifetimeMs = undefined;
  host = await startIdentityHost([current.publicKey]);
  sts = await startSts({
    providers: [{ issuer: host.issuer, clientIds: [AUDIENCE, 'another-client'] }],
    roles: [{ name: ROLE, issuer: host.issuer, audience: AUDIENCE, subject: SUBJECT, maxSessionSeconds: 3_600 }],
    now: () => nowMs,
    lifetimeMs: () => lifetimeMs,
  });
});
afterEach(async () => {
  await sts.close();
  await host.close();
});

type Claims = Record<string, string | number>;
const claims = (change: Claims = {}): Claims => ({
  iss: host.issuer,
  sub: SUBJECT,
  aud: AUDIENCE,
  iat: Math.floor(nowMs / 1000) - 30,
  exp: Math.floor(nowMs / 1000) + 300,
  ...change,
});
const sign = (said: Claims, pair = current): Promise<string> =>
  createTokenSigner(parseSigningKey(JSON.stringify(pair.privateJwk)))(said);
const request = (token: string) => ({
  url: sts.url,
  roleArn: roleArn(ROLE),
  sessionName: 'worker-test',
  durationSeconds: 3_600,
  token,
});
const send = (url: string, init: RequestInit): Promise<Response> => fetch(url, init);

async function refusalOf(token: string, role = roleArn(ROLE)): Promise<{ worker: string; sdk: string }> {
  const error: unknown = await assumeRole({ ...request(token), roleArn: role }, send, never).catch((cause) => cause);
  if (!(error instanceof GatewayError)) throw new Error('it was not refused');
  const command = new AssumeRoleWithWebIdentityCommand({
    RoleArn: role,
    RoleSessionName: 'worker-test',
    WebIdentityToken: token,
  });
  const sdk: unknown = await client()
    .send(command)
    .catch((cause: unknown) => cause);
  return { worker: error.message, sdk: sdk instanceof Error ? sdk.name : 'no error' };
}

describe('a token of the worker', () => {
  it('is exchanged for credentials of one hour, by the worker and by AWS’s own client', async () => {
    const token = await sign(claims());
    const given = await assumeRole(request(token), send, never);
    expect(given.expiresAtMs).toBe(Math.floor((nowMs + 3_600_000) / 1000) * 1000);
    expect(sts.findKey(given.credentials.accessKeyId)).toMatchObject(given.credentials);

    const answer = await client().send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: roleArn(ROLE),
        RoleSessionName: 'sdk',
        WebIdentityToken: token,
        DurationSeconds: 900,
      }),
    );
    expect(answer).toMatchObject({
      Audience: AUDIENCE,
      SubjectFromWebIdentityToken: SUBJECT,
      AssumedRoleUser: { Arn: expect.stringContaining(`assumed-role/${ROLE}/sdk`) as unknown },
      Credentials: { Expiration: new Date(Math.floor((nowMs + 900_000) / 1000) * 1000) },
    });
    expect(sts.findKey(answer.Credentials?.AccessKeyId ?? '')?.sessionToken).toBe(answer.Credentials?.SessionToken);
  });

  const tampered = (token: string): string => {
    const [head = '', , signature = ''] = token.split('.');
    const body = Buffer.from(JSON.stringify(claims({ sub: 'somebody-else' }))).toString('base64url');
    return [head, body, signature].join('.');
  };
  const unsigned = (): string =>
    [{ alg: 'none', kid: current.publicKey.kid }, claims()]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
      .concat('.AA');

  it.each<[string, () => Promise<string> | string, string, string]>([
    ['another audience', () => sign(claims({ aud: 'other' })), 'InvalidIdentityToken', 'InvalidIdentityTokenException'],
    [
      'an audience of the provider that the role does not name',
      () => sign(claims({ aud: 'another-client' })),
      'AccessDenied',
      'AccessDenied',
    ],
    ['another subject', () => sign(claims({ sub: 'other' })), 'AccessDenied', 'AccessDenied'],
    [
      'another issuer',
      () => sign(claims({ iss: 'https://other.example' })),
      'InvalidIdentityToken',
      'InvalidIdentityTokenException',
    ],
    [
      'its time over',
      () => sign(claims({ exp: Math.floor(nowMs / 1000) - 1 })),
      'ExpiredTokenException',
      'ExpiredTokenException',
    ],
    [
      'its time not begun',
      () => sign(claims({ iat: Math.floor(nowMs / 1000) + 60 })),
      'InvalidIdentityToken',
      'InvalidIdentityTokenException',
    ],
    [
      'claims changed after signing',
      async () => tampered(await sign(claims())),
      'InvalidIdentityToken',
      'InvalidIdentityTokenException',
    ],
    ['no signature', unsigned, 'InvalidIdentityToken', 'InvalidIdentityTokenException'],
    [
      'the signature of a key that is not published',
      () => sign(claims(), strangers),
      'InvalidIdentityToken',
      'InvalidIdentityTokenException',
    ],
    [
      'the signature of another key under the name of a published one',
      () => sign(claims(), { ...strangers, privateJwk: { ...strangers.privateJwk, kid: current.publicKey.kid } }),
      'InvalidIdentityToken',
      'InvalidIdentityTokenException',
    ],
    ['nothing of a token', () => 'nonsense', 'InvalidIdentityToken', 'InvalidIdentityTokenException'],
  ])('is refused with %s', async (_what, make, code, sdk) => {
    const token = await make();
    expect(await refusalOf(token)).toEqual({ worker: `STS refused AssumeRoleWithWebIdentity: ${code}.`, sdk });
  });

  it('is refused for a role that is not there, in the words for one that does not trust it', async () => {
    expect((await refusalOf(await sign(claims()), roleArn('other'))).sdk).toBe('AccessDenied');
  });

  it('is refused where its issuer cannot be reached', async () => {
    await host.setFault({ kind: 'refuse' });
    expect((await refusalOf(await sign(claims()))).sdk).toBe('InvalidIdentityTokenException');
  });

  it('is taken under either of two published keys, and the old one is refused once it is withdrawn', async () => {
    await assumeRole(request(await sign(claims())), send, never);
    host.publish([current.publicKey, next.publicKey]);
    await assumeRole(request(await sign(claims(), next)), send, never);
    await assumeRole(request(await sign(claims())), send, never);
    host.publish([next.publicKey]);
    const fresh = await startSts({
      providers: [{ issuer: host.issuer, clientIds: [AUDIENCE] }],
      roles: [{ name: ROLE, issuer: host.issuer, audience: AUDIENCE, subject: SUBJECT, maxSessionSeconds: 3_600 }],
    });
    const old = assumeRole({ ...request(await sign(claims())), url: fresh.url }, send, never);
    await expect(old).rejects.toMatchObject({ message: expect.stringContaining('InvalidIdentityToken') as unknown });
    await fresh.close();
  });

  it('gets no longer a session than the role allows', async () => {
    const long = assumeRole({ ...request(await sign(claims())), durationSeconds: 7_200 }, send, never);
    await expect(long).rejects.toMatchObject({ message: expect.stringContaining('ValidationError') as unknown });
  });
});

describe('an answer of STS', () => {
  it.each([
    ['garbage', { kind: 'garbage' }, 'target_unavailable'],
    ['throttling', { kind: 'status', status: 429 }, 'target_unavailable'],
    ['an internal failure', { kind: 'status', status: 500 }, 'target_unavailable'],
    ['a refusal', { kind: 'status', status: 403 }, 'not_configured'],
  ] as const)('that is %s is a clear failure', async (_what, fault, code) => {
    await sts.setFault(fault);
    await expect(assumeRole(request(await sign(claims())), send, never)).rejects.toMatchObject({ code });
  });

  it.each([
    ['a cut document', (xml: string) => xml.slice(0, xml.length / 2)],
    ['two sets of credentials', (xml: string) => xml.replace(/<Credentials>[^]*<\/Credentials>/, '$&$&')],
    ['no secret', (xml: string) => xml.replace(/<SecretAccessKey>.*<\/SecretAccessKey>/, '')],
    ['a date that is none', (xml: string) => xml.replace(/<Expiration>.*</, '<Expiration>soon<')],
    ['another document', (xml: string) => xml.replaceAll('AssumeRoleWithWebIdentityResponse', 'AssumeRoleResponse')],
    ['a header injected through a token', (xml: string) => xml.replace('<SessionToken>', '<SessionToken>a&#13;&#10;b')],
  ])('with %s yields no credentials', async (_what, change) => {
    const changed = async (url: string, init: RequestInit): Promise<Response> =>
      new Response(change(await (await fetch(url, init)).text()));
    await expect(assumeRole(request(await sign(claims())), changed, never)).rejects.toMatchObject({
      message: 'STS answered something that is not credentials.',
    });
  });
});

describe('the worker’s credentials', () => {
  let database: DynamoDb;
  beforeAll(async () => {
    database = await startDynamoDb({
      region: REGION,
      tableName: 'hybrid',
      findKey: (id) => (id === KEY.accessKeyId ? KEY : sts.findKey(id)),
      adminKey: KEY,
      ...DYNAMODB_BACKEND,
      now: () => nowMs,
    });
    nowMs = Date.now();
    await database.waitUntilReady();
  });
  afterAll(() => database.close());

  function open(change: Record<string, string> = {}) {
    const failures: string[] = [];
    const clock = { now: () => nowMs };
    const env = parseEnv({
      AWS_REGION: REGION,
      AWS_ROLE_ARN: roleArn(ROLE),
      IDENTITY_KEY: JSON.stringify(current.privateJwk),
      IDENTITY_ISSUER: host.issuer,
      IDENTITY_SUBJECT: SUBJECT,
      STS_URL: sts.url,
      ...change,
    });
    const credentials = createWorkerCredentials(env, {
      clock,
      random: () => 0.5,
      isolateId: 'isolate',
      keepAlive: (work) => void work,
      onFailure: (detail) => failures.push(detail),
    });
    if (credentials === undefined) throw new Error('no credentials');
    const table = createDynamoClient({ table: 'hybrid', region: REGION, endpoint: database.url, credentials, clock });
    return { table, failures };
  }

  it('sign calls that the other services take, and are fetched again when they have expired', async () => {
    const { table } = open();
    lifetimeMs = 120_000;
    await table.getItem({ pk: { S: 'a' }, sk: { S: 'b' } });
    await table.getItem({ pk: { S: 'a' }, sk: { S: 'b' } });
    expect(sts.counts().received).toBe(1);
    // What was given is refused by now; nobody is handed it.
    nowMs += 125_000;
    await table.getItem({ pk: { S: 'a' }, sk: { S: 'b' } });
    expect(sts.counts().received).toBe(2);
  });

  it('that the services no longer take are refused by name', async () => {
    const given = await assumeRole(request(await sign(claims())), send, never);
    nowMs += 3_601_000;
    const stale = createDynamoClient({
      table: 'hybrid',
      region: REGION,
      endpoint: database.url,
      credentials: { get: () => Promise.resolve(given.credentials) },
      clock: { now: () => nowMs },
    });
    await expect(stale.getItem({ pk: { S: 'a' }, sk: { S: 'b' } })).rejects.toMatchObject({
      message: expect.stringContaining('ExpiredTokenException') as unknown,
    });
  });

  it('say why there are none, without a word of the key', async () => {
    const { table, failures } = open({ IDENTITY_SUBJECT: 'other' });
    await expect(table.getItem({ pk: { S: 'a' }, sk: { S: 'b' } })).rejects.toMatchObject({
      message: 'STS refused AssumeRoleWithWebIdentity: AccessDenied.',
    });
    expect(failures).toEqual(['AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity']);

    const broken = open({ IDENTITY_KEY: JSON.stringify({ ...current.privateJwk, x: 7 }) });
    await expect(broken.table.getItem({ pk: { S: 'a' }, sk: { S: 'b' } })).rejects.toMatchObject({
      code: 'not_configured',
      message: expect.stringContaining('IDENTITY_KEY must be a private JWK') as unknown,
    });
    expect(broken.failures.join()).not.toContain(current.privateJwk['d']);
  });
});
