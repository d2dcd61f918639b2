/**
 * STS AssumeRoleWithWebIdentity, the one call that needs no signature: a token for temporary credentials. Owns the query
 * request and reading its XML answer strictly; leaves out when to call and what to keep.
 */
import { GatewayError } from '../../shared/errors.ts';
import { readBounded } from './bounded-text.ts';
import type { AwsCredentials } from './credentials.ts';
import type { Fetch } from './fetch.ts';
import { onlyChild, parseXml, type XmlElement } from './xml.ts';

export type AssumeRole = {
  readonly url: string;
  readonly roleArn: string;
  /** In CloudTrail: which isolate it was. */
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly token: string;
};

export type TemporaryCredentials = { readonly credentials: AwsCredentials; readonly expiresAtMs: number };

const MAX_ANSWER_BYTES = 65_536;
const MAX_DETAIL_CHARS = 300;
/** Where the same call, or the next one, may do better. */
const PASSING_ERRORS = new Set(['IDPCommunicationError', 'Throttling', 'ThrottlingException', 'InternalFailure']);

/** @throws GatewayError, retryable where a later call may do better; AWS's own sentence is in its private detail */
export async function assumeRole(request: AssumeRole, send: Fetch, signal: AbortSignal): Promise<TemporaryCredentials> {
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: request.roleArn,
    RoleSessionName: request.sessionName,
    DurationSeconds: String(request.durationSeconds),
    WebIdentityToken: request.token,
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/xml' };
  const response = await send(request.url, { method: 'POST', headers, body, signal, redirect: 'manual' });
  const { text, complete } = await readBounded(response.body, MAX_ANSWER_BYTES);
  const answer = complete ? parseXml(text) : undefined;
  if (response.status !== 200) throw refusal(response.status, answer);
  const credentials = readCredentials(answer);
  if (credentials === undefined)
    throw new GatewayError('target_unavailable', 'STS answered something that is not credentials.');
  return credentials;
}

function readCredentials(answer: XmlElement | undefined): TemporaryCredentials | undefined {
  if (answer?.name !== 'AssumeRoleWithWebIdentityResponse') return undefined;
  const given = onlyChild(onlyChild(answer, 'AssumeRoleWithWebIdentityResult'), 'Credentials');
  const accessKeyId = matching(given, 'AccessKeyId', /^[A-Z0-9]{16,128}$/);
  const secretAccessKey = matching(given, 'SecretAccessKey', /^[\x21-\x7e]{1,256}$/);
  const sessionToken = matching(given, 'SessionToken', /^[\x21-\x7e]{1,16384}$/);
  const expiration = matching(given, 'Expiration', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
  const expiresAtMs = Date.parse(expiration ?? '');
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) return undefined;
  if (Number.isNaN(expiresAtMs)) return undefined;
  return { credentials: { accessKeyId, secretAccessKey, sessionToken }, expiresAtMs };
}

function matching(parent: XmlElement | undefined, name: string, form: RegExp): string | undefined {
  const child = onlyChild(parent, name);
  return child !== undefined && child.children.length === 0 && form.test(child.text) ? child.text : undefined;
}

function refusal(status: number, answer: XmlElement | undefined): GatewayError {
  const error = answer?.name === 'ErrorResponse' ? onlyChild(answer, 'Error') : undefined;
  const code = matching(error, 'Code', /^[A-Za-z.]{1,64}$/) ?? `HTTP ${status}`;
  const passing = status >= 500 || status === 429 || PASSING_ERRORS.has(code);
  return new GatewayError(
    passing ? 'target_unavailable' : 'not_configured',
    `STS refused AssumeRoleWithWebIdentity: ${code}.`,
    { detail: `${code}: ${onlyChild(error, 'Message')?.text.slice(0, MAX_DETAIL_CHARS) ?? 'no message'}` },
  );
}
