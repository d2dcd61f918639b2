/**
 * Verifies AWS Signature Version 4 (the Authorization header form) against a table of known keys.
 * Owns the checks and AWS's error codes and words; each service renders them in its own form (lib/aws-error.ts).
 * Leaves out presigned query strings, chunked payload signing and SigV4a: nothing here sends them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalRequest, collectHeaders, sha256Hex } from './lib/canonical-request.ts';
import type { SignedRequest, WireHeaders } from './lib/canonical-request.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_SKEW_MS = 5 * 60_000;

export type KnownKey = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Temporary credentials: every request must carry this token, signed. */
  readonly sessionToken?: string;
  readonly expiresAtMs?: number;
};

/** Asked per request, so that keys may be issued and expire while the stand-in runs. */
export type FindKey = (accessKeyId: string) => KnownKey | undefined;

export type Scope = {
  readonly region: string;
  readonly service: string;
  readonly findKey: FindKey;
  readonly nowMs: number;
};

type SignatureErrorCode =
  | 'MissingAuthenticationTokenException'
  | 'IncompleteSignatureException'
  | 'UnrecognizedClientException'
  | 'ExpiredTokenException'
  /** Query services (STS) call the same thing SignatureDoesNotMatch. */
  | 'InvalidSignatureException';

export type Verification =
  | { readonly kind: 'verified'; readonly key: KnownKey }
  | { readonly kind: 'refused'; readonly code: SignatureErrorCode; readonly message: string };

type Authorization = {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
};

const TOKEN_INVALID = 'The security token included in the request is invalid.';
const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

export function verifySigV4(request: SignedRequest, scope: Scope): Verification {
  const headers = collectHeaders(request.rawHeaders);
  const header = single(headers, 'authorization');
  if (header === undefined) {
    if (/[?&]X-Amz-Algorithm=/i.test(request.target)) {
      return refuse('IncompleteSignatureException', 'Presigned query strings are not supported here.');
    }
    return refuse('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const parsed = parseAuthorization(header);
  if (typeof parsed === 'string') return refuse('IncompleteSignatureException', parsed);

  const time = parseTime(headers);
  if (typeof time === 'string') return refuse('IncompleteSignatureException', time);
  const refused = checkTime(time, scope.nowMs) ?? checkScope(parsed, time, scope) ?? checkSigned(parsed, headers);
  if (refused !== undefined) return refused;

  const key = scope.findKey(parsed.accessKeyId);
  if (key === undefined) return refuse('UnrecognizedClientException', TOKEN_INVALID);

  const bodyHash = sha256Hex(request.body);
  const canonical = canonicalRequest(request, headers, parsed.signedHeaders, bodyHash);
  // Lambda and SageMaker take no UNSIGNED-PAYLOAD: a declared hash has to be the body's own.
  const declaredHash = single(headers, 'x-amz-content-sha256');
  if (canonical === undefined || (declaredHash !== undefined && !equal(declaredHash, bodyHash))) {
    return refuse('InvalidSignatureException', MISMATCH);
  }
  const expected = sign(key.secretAccessKey, parsed, time.basic, canonical);
  if (!equal(expected, parsed.signature)) return refuse('InvalidSignatureException', MISMATCH);
  return checkToken(key, single(headers, 'x-amz-security-token'), scope.nowMs);
}

function checkToken(key: KnownKey, token: string | undefined, nowMs: number): Verification {
  const matches =
    key.sessionToken === undefined ? token === undefined : token !== undefined && equal(token, key.sessionToken);
  if (!matches) return refuse('UnrecognizedClientException', TOKEN_INVALID);
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) {
    return refuse('ExpiredTokenException', 'The security token included in the request is expired');
  }
  return { kind: 'verified', key };
}

type RequestTime = { readonly basic: string; readonly atMs: number };

function parseTime(headers: WireHeaders): RequestTime | string {
  const amzDate = single(headers, 'x-amz-date');
  const httpDate = single(headers, 'date');
  if (amzDate === undefined && httpDate === undefined) {
    return "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
  }
  if (amzDate === undefined) {
    const atMs = Date.parse(httpDate ?? '');
    if (Number.isNaN(atMs)) return `Date must be an HTTP date. Got '${httpDate}'.`;
    return { basic: basicFormat(atMs), atMs };
  }
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate);
  const atMs =
    parts === null ? Number.NaN : Date.parse(amzDate.replace(/^(.{4})(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (Number.isNaN(atMs)) return `Date must be in ISO-8601 'basic format'. Got '${amzDate}'.`;
  return { basic: amzDate, atMs };
}

function checkTime(time: RequestTime, nowMs: number): Verification | undefined {
  const now = basicFormat(nowMs);
  if (time.atMs < nowMs - MAX_SKEW_MS) {
    const limit = basicFormat(nowMs - MAX_SKEW_MS);
    return refuse(
      'InvalidSignatureException',
      `Signature expired: ${time.basic} is now earlier than ${limit} (${now} - 5 min.)`,
    );
  }
  if (time.atMs > nowMs + MAX_SKEW_MS) {
    const limit = basicFormat(nowMs + MAX_SKEW_MS);
    return refuse(
      'InvalidSignatureException',
      `Signature not yet current: ${time.basic} is still later than ${limit} (${now} + 5 min.)`,
    );
  }
  return undefined;
}

function checkScope(authorization: Authorization, time: RequestTime, scope: Scope): Verification | undefined {
  const problems: string[] = [];
  if (authorization.region !== scope.region) {
    problems.push(`Credential should be scoped to a valid region, not '${authorization.region}'.`);
  }
  if (authorization.service !== scope.service) {
    problems.push(`Credential should be scoped to correct service: '${scope.service}'.`);
  }
  if (authorization.terminator !== 'aws4_request') {
    problems.push(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${authorization.terminator}'.`,
    );
  }
  if (authorization.date !== time.basic.slice(0, 8)) {
    problems.push(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${authorization.date}' != '${time.basic.slice(0, 8)}', from '${time.basic}'.`,
    );
  }
  return problems.length === 0 ? undefined : refuse('InvalidSignatureException', problems.join(' '));
}

/** Host binds the request to this service; an unsigned x-amz- header could be changed on the way. */
function checkSigned(authorization: Authorization, headers: WireHeaders): Verification | undefined {
  if (!authorization.signedHeaders.includes('host')) {
    return refuse('InvalidSignatureException', "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  }
  const unsigned = [...headers.keys()].filter(
    (name) => name.startsWith('x-amz-') && !authorization.signedHeaders.includes(name),
  );
  if (unsigned.length === 0) return undefined;
  return refuse(
    'InvalidSignatureException',
    `There were headers present in the request which were not signed: ${unsigned.join(', ')}`,
  );
}

/** The parts, or what is wrong with them in AWS's words. */
function parseAuthorization(header: string): Authorization | string {
  const [algorithm = '', ...rest] = header.trim().split(' ');
  if (algorithm !== ALGORITHM) return `Unsupported AWS 'algorithm': '${algorithm}'.`;
  const fields = new Map<string, string>();
  for (const part of rest.join(' ').split(',')) {
    const equalsAt = part.indexOf('=');
    if (equalsAt < 0) {
      return `'${part.trim()}' not a valid key=value pair (missing equal-sign) in Authorization header.`;
    }
    fields.set(part.slice(0, equalsAt).trim(), part.slice(equalsAt + 1).trim());
  }
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !fields.get(name));
  if (missing.length > 0) {
    return missing.map((name) => `Authorization header requires '${name}' parameter.`).join(' ');
  }
  const credential = (fields.get('Credential') ?? '').split('/');
  const [accessKeyId, date, region, service, terminator] = credential;
  if (credential.length !== 5 || !accessKeyId || !date || !region || !service || !terminator) {
    return 'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.';
  }
  return {
    accessKeyId,
    date,
    region,
    service,
    terminator,
    signedHeaders: (fields.get('SignedHeaders') ?? '').toLowerCase().split(';'),
    signature: fields.get('Signature') ?? '',
  };
}

function sign(secret: string, scope: Authorization, time: string, canonical: string): string {
  const scopeText = `${scope.date}/${scope.region}/${scope.service}/${scope.terminator}`;
  const key = [scope.date, scope.region, scope.service, scope.terminator].reduce<string | Buffer>(
    (derived, part) => createHmac('sha256', derived).update(part).digest(),
    `AWS4${secret}`,
  );
  return createHmac('sha256', key)
    .update([ALGORITHM, time, scopeText, sha256Hex(canonical)].join('\n'))
    .digest('hex');
}

/** Lengths are no secret; bytes are. */
function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function single(headers: WireHeaders, name: string): string | undefined {
  const values = headers.get(name);
  return values?.length === 1 ? values[0]?.trim() : undefined;
}

function basicFormat(atMs: number): string {
  return new Date(atMs).toISOString().replaceAll(/[:-]|\.\d{3}/g, '');
}

function refuse(code: SignatureErrorCode, message: string): Verification {
  return { kind: 'refused', code, message };
}
