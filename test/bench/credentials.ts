/**
 * `npm run bench:credentials`: what credentials without keys cost, one JSON line a figure. Added time of a call that finds
 * them warm, against a fixed key pair side by side; calls of STS per isolate and hour, over days of a simulated clock.
 */
import type { AwsCredentials, CredentialsSource } from '../../worker/aws/credentials.ts';
import { createStaticCredentials } from '../../worker/aws/credentials.ts';
import { createRefreshedCredentials } from '../../worker/aws/refreshed-credentials.ts';
import { createWebIdentityExchange } from '../../worker/aws/web-identity.ts';
import { parseSigningKey } from '../../worker/aws/signing-key.ts';
import { createIdentityKeyPair } from '../../local/identity-keys.ts';
import { seeded } from './seeded.ts';
import { figureOf } from './spread.ts';

const ROUNDS = 15;
const CALLS = 50_000;
const DAYS = 20;
const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const KEYS: AwsCredentials = { accessKeyId: 'ASIABENCH', secretAccessKey: 'bench', sessionToken: 'bench' };

async function addedMicroseconds(): Promise<number[]> {
  const fixed = createStaticCredentials(KEYS);
  const refreshed = createRefreshedCredentials({
    fetch: () => Promise.resolve({ credentials: KEYS, expiresAtMs: Date.now() + HOUR_MS }),
    clock: { now: () => Date.now() },
    random: () => Math.random(),
    keepAlive: () => undefined,
  });
  const added: number[] = [];
  await timed(fixed);
  await timed(refreshed);
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await timed(fixed);
    added.push((await timed(refreshed)) - before);
  }
  return added;
}

/** Microseconds a call. */
async function timed(source: CredentialsSource): Promise<number> {
  const startedMs = performance.now();
  for (let call = 0; call < CALLS; call += 1) await source.get(signal);
  return ((performance.now() - startedMs) * 1000) / CALLS;
}

/** Every hour of some isolates that are asked every ten seconds. */
async function stsCallsPerHour(): Promise<number[]> {
  const random = seeded(1);
  let nowMs = 0;
  let calls = 0;
  let background: Promise<void> = Promise.resolve();
  const source = createRefreshedCredentials({
    fetch: () => {
      calls += 1;
      return Promise.resolve({ credentials: KEYS, expiresAtMs: nowMs + HOUR_MS });
    },
    clock: { now: () => nowMs },
    random,
    keepAlive: (work) => {
      background = work;
    },
  });
  const perHour: number[] = [];
  for (let hour = 0; hour < DAYS * 24; hour += 1) {
    const before = calls;
    for (let step = 0; step < 360; step += 1) {
      await source.get(signal);
      // The simulated clock must not run ahead of work that takes it no time.
      await background;
      nowMs += 10_000;
    }
    perHour.push(calls - before);
  }
  return perHour;
}

/** Making and signing the token alone: what an exchange costs this side of the network. */
async function tokenMilliseconds(): Promise<number[]> {
  const exchange = createWebIdentityExchange(
    {
      key: parseSigningKey(JSON.stringify(createIdentityKeyPair('ES256').privateJwk)),
      issuer: 'https://edge.example.com/identity/production',
      subject: 'worker',
      audience: 'sts.amazonaws.com',
      roleArn: 'arn:aws:iam::000000000000:role/worker',
      sessionName: 'bench',
      stsUrl: 'https://sts.example.com/',
    },
    { now: () => Date.now() },
    () => Promise.reject(new Error('not sent')),
  );
  const taken: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    const startedMs = performance.now();
    await exchange(signal).catch(() => undefined);
    taken.push(performance.now() - startedMs);
  }
  return taken.slice(20);
}

const perHour = await stsCallsPerHour();
const figures = [
  figureOf('credentials: added to a call that finds them warm', 'us', await addedMicroseconds()),
  figureOf('credentials: STS calls per isolate and hour', 'calls', perHour),
  figureOf('credentials: STS calls per isolate and hour, mean', 'calls', [
    perHour.reduce((a, b) => a + b) / perHour.length,
  ]),
  figureOf('credentials: one token signed (ES256)', 'ms', await tokenMilliseconds()),
];
for (const figure of figures) console.log(JSON.stringify(figure));
