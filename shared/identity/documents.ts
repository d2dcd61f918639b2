/**
 * The two public documents from which AWS learns an issuer's keys: OpenID discovery and the key set. Owns their shape and
 * where they lie; leaves out making keys and publishing.
 */
import * as z from 'zod';

const base64Url = z.string().regex(/^[A-Za-z0-9_-]+$/);
const shared = { kid: z.string().min(1).max(128), use: z.literal('sig') };

/** Strict: a private member (`d`, `p`, ...) in a document for all the world is an error, not something to skip. */
const publicKeySchema = z.discriminatedUnion('kty', [
  z.strictObject({
    ...shared,
    kty: z.literal('EC'),
    alg: z.literal('ES256'),
    crv: z.literal('P-256'),
    x: base64Url,
    y: base64Url,
  }),
  z.strictObject({ ...shared, kty: z.literal('RSA'), alg: z.literal('RS256'), n: base64Url, e: base64Url }),
]);

export const keySetSchema = z.strictObject({ keys: z.array(publicKeySchema).min(1).max(3) });

export type PublicKey = z.infer<typeof publicKeySchema>;
export type KeySet = z.infer<typeof keySetSchema>;

export const DISCOVERY_PATH = '.well-known/openid-configuration';
export const KEY_SET_PATH = '.well-known/jwks.json';

/** @param issuer without a slash at its end */
export function discoveryDocument(issuer: string): Readonly<Record<string, unknown>> {
  return {
    issuer,
    jwks_uri: `${issuer}/${KEY_SET_PATH}`,
    // Required by OpenID; nobody signs in here.
    authorization_endpoint: `${issuer}/none`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    claims_supported: ['iss', 'sub', 'aud', 'iat', 'exp', 'jti'],
  };
}
