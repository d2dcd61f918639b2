/**
 * STS's answers as the query protocol renders them: credentials and errors in XML. Owns the words and the form.
 */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import type { KnownKey } from '../sigv4.ts';

export type StsError = { readonly status: 400 | 403 | 500 | 503; readonly code: string; readonly message: string };

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** STS says no more than this of a role that is not there or does not trust the caller. */
export const NOT_AUTHORIZED: StsError = {
  status: 403,
  code: 'AccessDenied',
  message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
};

export type AssumedRole = {
  readonly roleName: string;
  readonly sessionName: string;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly key: Required<KnownKey>;
};

export function renderAssumedRole({ roleName, sessionName, issuer, audience, subject, key }: AssumedRole): string {
  const expiration = new Date(key.expiresAtMs).toISOString().replace('.000Z', 'Z');
  const provider = issuer.replace(/^https?:\/\//, '');
  return `<AssumeRoleWithWebIdentityResponse xmlns="${NAMESPACE}">
  <AssumeRoleWithWebIdentityResult>
    <Audience>${escapeXml(audience)}</Audience>
    <AssumedRoleUser>
      <AssumedRoleId>AROALOCAL:${sessionName}</AssumedRoleId>
      <Arn>arn:aws:sts::${LOCAL_ACCOUNT}:assumed-role/${escapeXml(roleName)}/${sessionName}</Arn>
    </AssumedRoleUser>
    <Provider>arn:aws:iam::${LOCAL_ACCOUNT}:oidc-provider/${escapeXml(provider)}</Provider>
    <Credentials>
      <AccessKeyId>${key.accessKeyId}</AccessKeyId>
      <SecretAccessKey>${key.secretAccessKey}</SecretAccessKey>
      <SessionToken>${key.sessionToken}</SessionToken>
      <Expiration>${expiration}</Expiration>
    </Credentials>
    <SubjectFromWebIdentityToken>${escapeXml(subject)}</SubjectFromWebIdentityToken>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata>
    <RequestId>${randomBytes(8).toString('hex')}</RequestId>
  </ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>
`;
}

export function invalidToken(message: string): StsError {
  return { status: 400, code: 'InvalidIdentityToken', message };
}

export function validationError(message: string): StsError {
  return { status: 400, code: 'ValidationError', message };
}

export function unmet(member: string): StsError {
  return validationError(`1 validation error detected: Value at '${member}' failed to satisfy constraint`);
}

export function stsErrorOf(status: number): StsError {
  if (status === 503) return { status: 503, code: 'ServiceUnavailable', message: 'Service is currently unavailable.' };
  if (status === 400 || status === 429) return { status: 400, code: 'Throttling', message: 'Rate exceeded' };
  if (status === 403) return NOT_AUTHORIZED;
  return { status: 500, code: 'InternalFailure', message: 'An internal failure occurred.' };
}

export function sendStsError(response: ServerResponse, { status, code, message }: StsError): void {
  const type = status < 500 ? 'Sender' : 'Receiver';
  sendXml(
    response,
    status,
    `<ErrorResponse xmlns="${NAMESPACE}">
  <Error>
    <Type>${type}</Type>
    <Code>${code}</Code>
    <Message>${escapeXml(message)}</Message>
  </Error>
  <RequestId>${String(response.getHeader('x-amzn-RequestId'))}</RequestId>
</ErrorResponse>
`,
  );
}

export function sendXml(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`);
}
