/**
 * A signed token (JWS compact) as a verifier sees it: its parts, read strictly, and whether a public key made its signature.
 * Owns form and signature; what its claims must be is the caller's business.
 */
import { createPublicKey, verify } from 'node:crypto';
import * as z from 'zod';
import type { IssuerKey } from './issuer-keys.ts';
import { parseJson } from './json.ts';

const headerSchema = z.object({ alg: z.enum(['ES256', 'RS256']), kid: z.string() });
const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  iat: z.number(),
  exp: z.number(),
});

export type WebToken = {
  readonly header: z.infer<typeof headerSchema>;
  readonly claims: z.infer<typeof claimsSchema>;
  readonly signed: string;
  readonly signature: Buffer;
};

export function readWebToken(text: string): WebToken | undefined {
  const parts = text.split('.');
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const [head = '', body = '', signature = ''] = parts;
  const header = headerSchema.safeParse(parseJson(decode(head)));
  const claims = claimsSchema.safeParse(parseJson(decode(body)));
  if (!header.success || !claims.success) return undefined;
  return {
    header: header.data,
    claims: claims.data,
    signed: `${head}.${body}`,
    signature: Buffer.from(signature, 'base64url'),
  };
}

/** The key decides the algorithm; a token that names another one is refused. */
export function isSignedBy(token: WebToken, jwk: IssuerKey): boolean {
  const algorithm = jwk.kty === 'EC' ? 'ES256' : jwk.kty === 'RSA' ? 'RS256' : undefined;
  if (algorithm !== token.header.alg) return false;
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    return verify('sha256', Buffer.from(token.signed), { key, dsaEncoding: 'ieee-p1363' }, token.signature);
  } catch {
    return false;
  }
}

function decode(part: string): string {
  return Buffer.from(part, 'base64url').toString('utf8');
}
