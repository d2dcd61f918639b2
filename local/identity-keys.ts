/**
 * Key pairs of the worker's identity: the private half as the worker's secret holds it, the public half as it is published.
 * Owns making them and naming them; where either half goes is the business of the command line and of the local stack.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { PublicKey } from '../shared/identity/documents.ts';

export type IdentityAlgorithm = PublicKey['alg'];
export type IdentityKeyPair = {
  /** JWK with `kid` and `alg`: the whole of IDENTITY_KEY. */
  readonly privateJwk: Readonly<Record<string, string>>;
  readonly publicKey: PublicKey;
};

export function createIdentityKeyPair(algorithm: IdentityAlgorithm): IdentityKeyPair {
  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk: Record<string, string> = {};
  for (const [name, value] of Object.entries(privateKey.export({ format: 'jwk' }))) {
    if (typeof value === 'string') jwk[name] = value;
  }
  const publicKey = publicHalf(jwk, algorithm);
  return { privateJwk: { ...jwk, kid: publicKey.kid, alg: algorithm }, publicKey };
}

function publicHalf(jwk: Readonly<Record<string, string>>, algorithm: IdentityAlgorithm): PublicKey {
  const { crv = '', e = '', n = '', x = '', y = '' } = jwk;
  return algorithm === 'ES256'
    ? { kid: thumbprint({ crv, kty: 'EC', x, y }), use: 'sig', kty: 'EC', alg: 'ES256', crv: 'P-256', x, y }
    : { kid: thumbprint({ e, kty: 'RSA', n }), use: 'sig', kty: 'RSA', alg: 'RS256', n, e };
}

/** RFC 7638: of the required members alone, in the order of their names. The same key always has the same name. */
function thumbprint(members: Readonly<Record<string, string>>): string {
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
