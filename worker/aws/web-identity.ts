/**
 * The worker as its own identity provider: signs a short token and exchanges it for temporary credentials of its role.
 * Owns what the token claims; keys, the exchange and keeping the result are in files of their own.
 */
import type { Clock } from '../ports.ts';
import type { Fetch } from './fetch.ts';
import { createTokenSigner, type SigningKey } from './signing-key.ts';
import { assumeRole, type TemporaryCredentials } from './sts.ts';

export type WebIdentity = {
  readonly key: SigningKey;
  /** Where the public half is published; exactly the URL of IAM's provider. */
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly stsUrl: string;
};

/** One exchange takes well under a second; what is stolen later is worth nothing. */
const TOKEN_LIFETIME_S = 300;
/** A token from the future is refused, and clocks differ. */
const ISSUED_EARLIER_S = 30;
/** The longest that the role allows. */
const CREDENTIALS_LIFETIME_S = 3_600;

export function createWebIdentityExchange(
  identity: WebIdentity,
  clock: Clock,
  send: Fetch = (url, init) => fetch(url, init),
): (signal: AbortSignal) => Promise<TemporaryCredentials> {
  const sign = createTokenSigner(identity.key);
  return async (signal) => {
    const nowS = Math.floor(clock.now() / 1000);
    const token = await sign({
      iss: identity.issuer,
      sub: identity.subject,
      aud: identity.audience,
      iat: nowS - ISSUED_EARLIER_S,
      exp: nowS + TOKEN_LIFETIME_S,
      jti: crypto.randomUUID(),
    });
    const { roleArn, sessionName, stsUrl } = identity;
    return assumeRole(
      { url: stsUrl, roleArn, sessionName, durationSeconds: CREDENTIALS_LIFETIME_S, token },
      send,
      signal,
    );
  };
}
