/**
 * The worker's private key and the tokens it signs: JWS compact, ES256 or RS256. Owns reading the key from its secret and
 * signing; what a token says is the caller's business. Never puts any of the key into a message.
 */
import * as z from 'zod/mini';
import { GatewayError } from '../../shared/errors.ts';
import { encodeBase64Url } from '../base64.ts';
import { parseJson } from './server-error.ts';

/** AWS STS has verified ECDSA since November 2024, RSA always. ES256: a 64-byte signature, and a key that fits any secret. */
const ALGORITHMS = {
  ES256: {
    key: { name: 'ECDSA', namedCurve: 'P-256' },
    signature: { name: 'ECDSA', hash: 'SHA-256' },
  },
  RS256: {
    key: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    signature: { name: 'RSASSA-PKCS1-v1_5' },
  },
} as const;

const base64Url = z.string().check(z.regex(/^[A-Za-z0-9_-]+$/));
const kid = z.string().check(z.minLength(1), z.maxLength(128));
const keySchema = z.discriminatedUnion('kty', [
  z.object({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    alg: z._default(z.literal('ES256'), 'ES256'),
    kid,
    d: base64Url,
    x: base64Url,
    y: base64Url,
  }),
  z.object({
    kty: z.literal('RSA'),
    alg: z._default(z.literal('RS256'), 'RS256'),
    kid,
    n: base64Url,
    e: base64Url,
    d: base64Url,
    p: base64Url,
    q: base64Url,
    dp: base64Url,
    dq: base64Url,
    qi: base64Url,
  }),
]);

export type SigningKey = z.infer<typeof keySchema>;

/** @throws GatewayError that says what is missing and shows nothing of the key */
export function parseSigningKey(text: string): SigningKey {
  const parsed = keySchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new GatewayError(
    'not_configured',
    'IDENTITY_KEY must be a private JWK with a kid, EC P-256 or RSA, as `npx hybrid identity new` writes it.',
  );
}

export type TokenSigner = (claims: Readonly<Record<string, string | number>>) => Promise<string>;

export function createTokenSigner(key: SigningKey): TokenSigner {
  const algorithm = ALGORITHMS[key.alg];
  const { kid: keyId, ...jwk } = key;
  const head = encodeJson({ alg: key.alg, kid: keyId, typ: 'JWT' });
  let imported: Promise<CryptoKey> | undefined;
  return async (claims) => {
    imported ??= crypto.subtle.importKey('jwk', jwk, algorithm.key, false, ['sign']);
    const signed = `${head}.${encodeJson(claims)}`;
    const signature = await crypto.subtle.sign(algorithm.signature, await imported, new TextEncoder().encode(signed));
    return `${signed}.${encodeBase64Url(new Uint8Array(signature))}`;
  };
}

function encodeJson(value: object): string {
  return encodeBase64Url(new TextEncoder().encode(JSON.stringify(value)));
}
