/**
 * Which credentials this worker has: those of its own identity, with a key pair, if there is one too, for when STS is away.
 * Owns the choice, from the environment; the sources themselves are in files of their own.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { WorkerEnv } from '../env.ts';
import type { Clock, KeepAlive, Random } from '../ports.ts';
import { createStaticCredentials, withFallback, type CredentialsSource } from './credentials.ts';
import type { Fetch } from './fetch.ts';
import { createRefreshedCredentials } from './refreshed-credentials.ts';
import type { TemporaryCredentials } from './sts.ts';
import type { WebIdentity } from './web-identity.ts';

export type WorkerCredentialsNeeds = {
  readonly clock: Clock;
  readonly random: Random;
  readonly isolateId: string;
  readonly keepAlive: KeepAlive;
  /** Told why, in words for the log. */
  onFailure(detail: string): void;
  readonly fetch?: Fetch;
};

type Exchange = (signal: AbortSignal) => Promise<TemporaryCredentials>;

export function createWorkerCredentials(env: WorkerEnv, needs: WorkerCredentialsNeeds): CredentialsSource | undefined {
  const fixed = keyPairFrom(env);
  const exchange = exchangeFrom(env, needs);
  if (exchange === undefined) return fixed;
  const { clock, random, keepAlive } = needs;
  const refreshed = createRefreshedCredentials({
    fetch: exchange,
    clock,
    random,
    keepAlive,
    onFailure: (error) => needs.onFailure(detailOf(error)),
  });
  return fixed === undefined ? refreshed : withFallback(refreshed, fixed);
}

function keyPairFrom(env: WorkerEnv): CredentialsSource | undefined {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return createStaticCredentials({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
}

/** What signs and asks is loaded with the first exchange: a first answer from the edge needs none of it. */
function exchangeFrom(env: WorkerEnv, needs: WorkerCredentialsNeeds): Exchange | undefined {
  const { IDENTITY_KEY: keyText, IDENTITY_ISSUER: issuer, IDENTITY_SUBJECT: subject, AWS_ROLE_ARN: roleArn } = env;
  if (keyText === undefined || issuer === undefined || subject === undefined || roleArn === undefined) return undefined;
  const identity: Omit<WebIdentity, 'key'> = {
    issuer: issuer.replace(/\/$/, ''),
    subject,
    audience: env.IDENTITY_AUDIENCE,
    roleArn,
    sessionName: `worker-${needs.isolateId}`,
    stsUrl: env.STS_URL ?? `https://sts.${env.AWS_REGION}.amazonaws.com/`,
  };
  async function load(text: string): Promise<Exchange> {
    const { parseSigningKey } = await import('./signing-key.ts');
    const { createWebIdentityExchange } = await import('./web-identity.ts');
    return createWebIdentityExchange({ ...identity, key: parseSigningKey(text) }, needs.clock, needs.fetch);
  }
  let loaded: Promise<Exchange> | undefined;
  return async (signal) => {
    loaded ??= load(keyText);
    return (await loaded)(signal);
  };
}

function detailOf(error: unknown): string {
  if (error instanceof GatewayError) return error.detail ?? error.message;
  return error instanceof Error ? error.message : String(error);
}
