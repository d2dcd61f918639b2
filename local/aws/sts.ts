/**
 * STS's stand-in: AssumeRoleWithWebIdentity over the query protocol, for providers and roles as IAM would hold them. Tokens
 * are really verified against the keys their issuer publishes; what is given out is known to the other stand-ins until it
 * expires. Owns the wire and the order of checks; leaves out every other action, session policies and tags.
 */
import { randomBytes } from 'node:crypto';
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import type { Fault } from '../lib/fault.ts';
import { startHttpService } from '../lib/http-service.ts';
import type { ServiceCounts, ServiceRequest } from '../lib/http-service.ts';
import { createIssuerKeys } from '../lib/issuer-keys.ts';
import { isSignedBy, readWebToken, type WebToken } from '../lib/web-token.ts';
import type { FindKey, KnownKey } from '../sigv4.ts';
import {
  invalidToken,
  NOT_AUTHORIZED,
  renderAssumedRole,
  sendStsError,
  sendXml,
  stsErrorOf,
  unmet,
  validationError,
  type StsError,
} from './sts-answers.ts';

type IdentityProvider = { readonly issuer: string; readonly clientIds: readonly string[] };

/** A role whose trust policy asks for exactly one audience and one subject of one provider. */
type TrustingRole = {
  readonly name: string;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly maxSessionSeconds: number;
};

export type StsOptions = {
  readonly port?: number;
  readonly providers: readonly IdentityProvider[];
  readonly roles: readonly TrustingRole[];
  readonly now?: () => number;
  /** Shortens what is given out below the 900 s that STS gives at least, so that a test sees it expire. */
  readonly lifetimeMs?: () => number | undefined;
};

export type Sts = {
  readonly url: string;
  readonly port: number;
  /** Keys given out, for the stand-ins that check signatures. */
  readonly findKey: FindKey;
  /** The newest last; what a test changes in one of them is true from then on. */
  issued(): readonly KnownKey[];
  setFault(fault: Fault | null): Promise<void>;
  counts(): ServiceCounts;
  close(): Promise<void>;
};

type Asked = {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly token: string;
  readonly durationSeconds: number;
};

const MAX_BODY_BYTES = 65_536;
export async function startSts(options: StsOptions): Promise<Sts> {
  const now = options.now ?? Date.now;
  const issuerKeys = createIssuerKeys();
  const given = new Map<string, KnownKey>();

  async function answer(request: ServiceRequest): Promise<string | StsError> {
    const asked = readAsked(request);
    if ('code' in asked) return asked;
    const token = readWebToken(asked.token);
    if (token === undefined) return invalidToken('The ID Token provided is not a valid JWT.');
    return (await refusalOf(token)) ?? assume(asked, token);
  }

  /** In STS's order: provider, audience, signature, time; the role's own conditions come after. */
  async function refusalOf(token: WebToken): Promise<StsError | undefined> {
    const { iss, exp, iat } = token.claims;
    const provider = options.providers.find(({ issuer }) => issuer === iss);
    if (provider === undefined)
      return invalidToken(`No OpenIDConnect provider found in your account for ${iss.slice(0, 256)}`);
    if (!audiencesOf(token).some((audience) => provider.clientIds.includes(audience)))
      return invalidToken('Incorrect token audience');
    const key = await issuerKeys.find(iss, token.header.kid);
    if (key === undefined)
      return invalidToken(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
      );
    if (!isSignedBy(token, key)) return invalidToken('The web identity token provided could not be validated');
    const nowS = Math.floor(now() / 1000);
    if (exp <= nowS) {
      const message = `Token expired: current date/time ${nowS} must be before the expiration date/time ${exp}`;
      return { status: 400, code: 'ExpiredTokenException', message };
    }
    return iat > nowS ? invalidToken('The web identity token was issued in the future') : undefined;
  }

  function assume(asked: Asked, token: WebToken): string | StsError {
    const role = options.roles.find(({ name }) => asked.roleArn === roleArn(name));
    const isTrusted =
      role !== undefined &&
      role.issuer === token.claims.iss &&
      role.subject === token.claims.sub &&
      audiencesOf(token).includes(role.audience);
    if (!isTrusted) return NOT_AUTHORIZED;
    if (asked.durationSeconds > role.maxSessionSeconds)
      return validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
    const lifetimeMs = options.lifetimeMs?.() ?? asked.durationSeconds * 1000;
    const key = newKey(now() + lifetimeMs);
    // Kept past their end, so that a late caller is told that they expired; an hour is long enough for that.
    for (const [id, { expiresAtMs = 0 }] of given) if (expiresAtMs < now() - 3_600_000) given.delete(id);
    given.set(key.accessKeyId, key);
    return renderAssumedRole({
      roleName: role.name,
      sessionName: asked.sessionName,
      issuer: role.issuer,
      audience: role.audience,
      subject: role.subject,
      key,
    });
  }

  const service = await startHttpService({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: MAX_BODY_BYTES,
    contentType: () => 'text/xml',
    sendTooLarge: (response) => sendStsError(response, validationError('The request is too large.')),
    sendStatus: (response, status) => sendStsError(response, stsErrorOf(status)),
    async handle(request, response) {
      const answered = await answer(request);
      if (typeof answered === 'string') sendXml(response, 200, answered);
      else sendStsError(response, answered);
    },
  });
  return {
    url: `${service.url}/`,
    port: service.port,
    findKey: (id) => given.get(id),
    issued: () => [...given.values()],
    setFault: (fault) => service.setFault(fault),
    counts: () => service.counts(),
    close: () => service.close(),
  };
}

export function roleArn(name: string): string {
  return `arn:aws:iam::${LOCAL_ACCOUNT}:role/${name}`;
}

function readAsked(request: ServiceRequest): Asked | StsError {
  const body = Buffer.from(request.body).toString('utf8');
  const fields = new URLSearchParams(request.method === 'POST' ? body : request.query);
  if (fields.get('Action') !== 'AssumeRoleWithWebIdentity' || fields.get('Version') !== '2011-06-15') {
    const action = fields.get('Action')?.slice(0, 64) ?? '';
    const message = `Could not find operation ${action} for version ${fields.get('Version')?.slice(0, 16) ?? ''}`;
    return { status: 400, code: 'InvalidAction', message };
  }
  const asked = {
    roleArn: fields.get('RoleArn') ?? '',
    sessionName: fields.get('RoleSessionName') ?? '',
    token: fields.get('WebIdentityToken') ?? '',
    durationSeconds: Number(fields.get('DurationSeconds') ?? '3600'),
  };
  if (!/^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/.test(asked.roleArn)) return unmet('roleArn');
  if (!/^[\w+=,.@-]{2,64}$/.test(asked.sessionName)) return unmet('roleSessionName');
  if (asked.token.length < 4 || asked.token.length > 20_000) return unmet('webIdentityToken');
  const { durationSeconds } = asked;
  if (!Number.isInteger(durationSeconds) || durationSeconds < 900 || durationSeconds > 43_200)
    return unmet('durationSeconds');
  return asked;
}

function audiencesOf({ claims }: WebToken): readonly string[] {
  return typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
}

function newKey(expiresAtMs: number): Required<KnownKey> {
  return {
    accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64'),
    sessionToken: randomBytes(300).toString('base64'),
    // Whole seconds, as the answer says them.
    expiresAtMs: Math.floor(expiresAtMs / 1000) * 1000,
  };
}
