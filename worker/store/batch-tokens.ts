/**
 * The token with which a batch's lines are asked: it says whose they are, for how long, and only this worker's key can make
 * one. So neither the caller's key nor any other is kept with a batch, and the function that runs it holds no secret.
 */
import * as z from 'zod/mini';
import { BATCH_TOKEN_PREFIX } from '../../shared/names.ts';
import { decodeBase64Url, encodeBase64Url } from '../base64.ts';

export type BatchTokens = {
  issue(batchId: string, tenant: string, expiresAtMs: number): Promise<string>;
  /** The tenant, or undefined where the token is not of this worker or has expired. */
  verify(token: string, nowMs: number): Promise<string | undefined>;
};

const claimsSchema = z.object({ b: z.string(), t: z.string(), e: z.number() });
const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' };

export function createBatchTokens(secret: string): BatchTokens {
  const key = crypto.subtle.importKey('raw', new TextEncoder().encode(secret), ALGORITHM, false, ['sign', 'verify']);
  // Whoever uses it meets the failure; until then nobody need.
  key.catch(() => undefined);
  return {
    async issue(batchId, tenant, expiresAtMs) {
      const claims = new TextEncoder().encode(JSON.stringify({ b: batchId, t: tenant, e: expiresAtMs }));
      const signature = new Uint8Array(await crypto.subtle.sign(ALGORITHM, await key, claims));
      return `${BATCH_TOKEN_PREFIX}${encodeBase64Url(claims)}.${encodeBase64Url(signature)}`;
    },
    async verify(token, nowMs) {
      const [payload = '', sealed = '', ...rest] = token.slice(BATCH_TOKEN_PREFIX.length).split('.');
      const [claims, signature] = [bytesOf(payload), bytesOf(sealed)];
      if (claims === undefined || signature === undefined || rest.length > 0) return undefined;
      if (!(await crypto.subtle.verify(ALGORITHM, await key, signature, claims))) return undefined;
      const parsed = claimsSchema.safeParse(JSON.parse(new TextDecoder().decode(claims)));
      return parsed.success && parsed.data.e > nowMs ? parsed.data.t : undefined;
    },
  };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return decodeBase64Url(text);
  } catch {
    return undefined;
  }
}
