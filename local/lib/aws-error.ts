/**
 * AWS's error answers, in the two forms that the stand-ins speak: REST JSON (Lambda, SageMaker) and JSON 1.0 (DynamoDB).
 * Owns rendering only; what is an error is the service's business.
 */
import type { ServerResponse } from 'node:http';
import type { Verification } from '../sigv4.ts';

export type AwsError = {
  readonly status: number;
  /** The exception's name, in x-amzn-ErrorType and in __type. */
  readonly type: string;
  readonly message: string;
  /** Further members of the error's shape. */
  readonly members?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** SageMaker and some Lambda shapes spell it `Message`; default `message`. */
  readonly messageKey?: 'message' | 'Message';
};

export function sendRestJsonError(response: ServerResponse, error: AwsError): void {
  const body = JSON.stringify({ ...error.members, [error.messageKey ?? 'message']: error.message });
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(error.type === '' ? {} : { 'x-amzn-ErrorType': error.type }),
    ...error.headers,
  });
  response.end(body);
}

export function sendJson10Error(response: ServerResponse, error: AwsError): void {
  const body = JSON.stringify({ __type: error.type, message: error.message });
  response.writeHead(error.status, {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': Buffer.byteLength(body),
    ...error.headers,
  });
  response.end(body);
}

type Refused = Extract<Verification, { kind: 'refused' }>;

/** https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html: every one of them is a 403 there. */
export function restSignatureError(refused: Refused): AwsError {
  return { status: 403, type: refused.code, message: refused.message };
}

/** DynamoDB answers 400 to all of them, and names them with coral's namespace. */
export function json10SignatureError(refused: Refused): AwsError {
  return { status: 400, type: `com.amazon.coral.service#${refused.code}`, message: refused.message };
}
