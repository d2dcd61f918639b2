/**
 * HTTP and Lambda's event payload format 2.0, both ways: the event that a Function URL builds, and the HTTP answer in what
 * a handler returns (a buffered result, or the prelude of a stream).
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
 */
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import type { OutgoingHttpHeaders } from 'node:http';
import type { ServiceRequest } from '../lib/http-service.ts';
import { fieldsOf, parseJson } from '../lib/json.ts';
import { traceId } from './lambda-environment.ts';

/** Everything else arrives base64 encoded, as with API Gateway's HTTP APIs. */
const TEXT_TYPE = /^(text\/|application\/(json|javascript|xml)\b|application\/[^;]+\+(json|xml)\b)/i;
/** Not for the function: a signature in a log would be one more secret to lose. Whether AWS passes them on is not documented. */
const WITHHELD = new Set(['authorization', 'x-amz-security-token', 'connection', 'transfer-encoding', 'cookie']);

export function httpEvent(request: ServiceRequest, accessKeyId: string, nowMs: number): unknown {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || WITHHELD.has(name)) continue;
    headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  const host = request.headers.host ?? '';
  const isText = TEXT_TYPE.test(request.headers['content-type'] ?? '');
  const query = queryParameters(request.query);
  const cookies = request.headers.cookie?.split(';').map((cookie) => cookie.trim());
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: decodePath(request.path),
    rawQueryString: request.query,
    ...(cookies === undefined ? {} : { cookies }),
    headers: {
      ...headers,
      'x-amzn-trace-id': headers['x-amzn-trace-id'] ?? traceId(request.id),
      'x-forwarded-for': request.remoteAddress,
      'x-forwarded-port': host.split(':')[1] ?? '443',
      'x-forwarded-proto': 'https',
    },
    ...(query === undefined ? {} : { queryStringParameters: query }),
    requestContext: {
      accountId: LOCAL_ACCOUNT,
      apiId: host.split('.')[0]?.split(':')[0] ?? '',
      authentication: null,
      authorizer: {
        iam: {
          accessKey: accessKeyId,
          accountId: LOCAL_ACCOUNT,
          callerId: accessKeyId,
          cognitoIdentity: null,
          principalOrgId: null,
          userArn: `arn:aws:iam::${LOCAL_ACCOUNT}:user/local`,
          userId: accessKeyId,
        },
      },
      domainName: host,
      domainPrefix: host.split('.')[0] ?? '',
      http: {
        method: request.method,
        path: decodePath(request.path),
        protocol: 'HTTP/1.1',
        sourceIp: request.remoteAddress,
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId: request.id,
      routeKey: '$default',
      stage: '$default',
      time: clfTime(nowMs),
      timeEpoch: nowMs,
    },
    ...(request.body.length === 0 ? {} : { body: Buffer.from(request.body).toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: request.body.length > 0 && !isText,
  };
}

export type HttpAnswer = { readonly status: number; readonly headers: OutgoingHttpHeaders };

/** The JSON in front of a stream's body. Undefined where it is not a valid prelude. */
export function parsePrelude(text: string): HttpAnswer | undefined {
  const value = parseJson(text);
  return value === undefined ? undefined : headOf(value, 'application/octet-stream');
}

/** A buffered result is an HTTP answer where it has a statusCode, and the JSON body of a 200 where it has none. */
export function parseBufferedResult(body: Buffer): (HttpAnswer & { readonly body: Buffer }) | undefined {
  const value = parseJson(body.toString('utf8'));
  if (value === undefined) return undefined;
  const { statusCode, body: inner, isBase64Encoded } = fieldsOf(value);
  if (statusCode === undefined) {
    const plain = typeof value === 'string' ? Buffer.from(value) : body;
    return { status: 200, headers: { 'content-type': 'application/json' }, body: plain };
  }
  const head = headOf(value, 'application/json');
  if (head === undefined) return undefined;
  const text = inner === undefined || inner === null ? '' : typeof inner === 'string' ? inner : JSON.stringify(inner);
  return { ...head, body: Buffer.from(text, isBase64Encoded === true ? 'base64' : 'utf8') };
}

function headOf(value: unknown, defaultType: string): HttpAnswer | undefined {
  const { statusCode = 200, headers, cookies } = fieldsOf(value);
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  const given: OutgoingHttpHeaders = { 'content-type': defaultType };
  for (const [name, text] of Object.entries(fieldsOf(headers))) given[name.toLowerCase()] = String(text);
  if (Array.isArray(cookies) && cookies.length > 0) given['set-cookie'] = cookies.map(String);
  return { status, headers: given };
}

function queryParameters(query: string): Record<string, string> | undefined {
  if (query === '') return undefined;
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(parameters);
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function clfTime(nowMs: number): string {
  const [, year, month, day, time] = /^(\d+)-(\d\d)-(\d\d)T([\d:]+)/.exec(new Date(nowMs).toISOString()) ?? [];
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${time} +0000`;
}
