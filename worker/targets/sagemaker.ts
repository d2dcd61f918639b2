/**
 * The model server behind SageMaker InvokeEndpoint. Owns how that front door is called and how its errors look;
 * the attempt itself is model-server.ts.
 */
import type { FailureReason } from '../../shared/decide/plan-types.ts';
import { TRACEPARENT_HEADER } from '../../shared/names.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import type { Target } from '../ports.ts';
import { createChatWire } from './chat/chat-wire.ts';
import { failed, parseRetryAfterMs } from './failure.ts';
import type { FailedResult } from './failure.ts';
import { createModelServerTarget } from './model-server.ts';
import type { AwsTargetOptions, ErrorAnswer, FrontDoor } from './model-server.ts';
import {
  awsErrorName,
  numberField,
  parseJson,
  reasonOfServerCode,
  serverErrorCode,
  textField,
} from '../aws/server-error.ts';

/** The one header of the caller's that the container sees, and data capture keeps. At most 1,024 characters. */
const CUSTOM_ATTRIBUTES_HEADER = 'x-amzn-sagemaker-custom-attributes';

export function createSageMakerTarget(options: AwsTargetOptions): Target {
  const { endpoint } = options.spec;
  const door: FrontDoor = {
    service: 'sagemaker',
    url: invocationUrl(options.spec),
    missingUrl: 'no endpoint_name is configured',
    // Headers of our own end at the front door; this one reaches the container and data capture. At most 64 characters.
    headersOf: (call) => ({
      'x-amzn-sagemaker-inference-id': call.requestId.slice(0, 64),
      ...(call.traceparent === undefined
        ? {}
        : { [CUSTOM_ATTRIBUTES_HEADER]: `${TRACEPARENT_HEADER}=${call.traceparent}` }),
    }),
    takes: (body) => body.byteLength <= MAX_BODY_BYTES,
    failureOf,
  };
  return endpoint.kind === 'sagemaker' && endpoint.speaks === 'chat_completions'
    ? createModelServerTarget(options, door, createChatWire(endpoint.stream_timeouts))
    : createModelServerTarget(options, door);
}

/** Of InvokeEndpoint; a serverless endpoint takes 4 MB, which its target's own limit says. */
const MAX_BODY_BYTES = 6 * 1024 * 1024;

function invocationUrl(spec: TargetSpec): string | undefined {
  const { endpoint } = spec;
  if (endpoint.kind !== 'sagemaker') throw new TypeError(`target ${spec.id} is not a sagemaker endpoint`);
  if (endpoint.endpoint_name === null) return undefined;
  const base = endpoint.base_url ?? `https://runtime.sagemaker.${spec.region}.amazonaws.com`;
  const form = endpoint.speaks === 'chat_completions' ? 'invocations-response-stream' : 'invocations';
  return new URL(
    `endpoints/${encodeURIComponent(endpoint.endpoint_name)}/${form}`,
    base.endsWith('/') ? base : `${base}/`,
  ).href;
}

/** Names from the service's error table; two share 429 and mean different things. */
const REASON_OF_NAME: Readonly<Record<string, FailureReason>> = {
  ModelNotReadyException: 'not_ready',
  ThrottlingException: 'throttled',
  TooManyRequestsException: 'throttled',
  ValidationError: 'rejected',
  ValidationException: 'rejected',
  InternalFailure: 'upstream_error',
  ServiceUnavailable: 'upstream_error',
  InternalDependencyException: 'upstream_error',
  ExpiredTokenException: 'credentials',
  InvalidSignatureException: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  IncompleteSignature: 'credentials',
  MissingAuthenticationToken: 'credentials',
  MissingAuthenticationTokenException: 'credentials',
  UnrecognizedClientException: 'credentials',
  InvalidClientTokenId: 'credentials',
  AccessDeniedException: 'credentials',
};

function failureOf(answer: ErrorAnswer, nowMs: number): FailedResult {
  const body = parseJson(answer.body);
  const name = awsErrorName(answer.headers, body);
  const retryAfterMs = parseRetryAfterMs(answer.headers.get('retry-after'), nowMs);
  if (name === 'ModelError' || answer.status === 424) {
    const original = numberField(body, 'OriginalStatusCode');
    const code = serverErrorCode(textField(body, 'OriginalMessage') ?? '');
    const reason = (code === undefined ? undefined : reasonOfServerCode(code)) ?? reasonOfContainer(original);
    return failed(reason, `the container answered HTTP ${original ?? 'error'}`, { retryAfterMs });
  }
  const known = name !== undefined && Object.hasOwn(REASON_OF_NAME, name) ? REASON_OF_NAME[name] : undefined;
  return failed(
    known ?? reasonOfStatus(answer.status),
    `the endpoint answered HTTP ${answer.status}${name === undefined ? '' : ` ${name}`}`,
    {
      retryAfterMs,
    },
  );
}

function reasonOfContainer(status: number | undefined): FailureReason {
  if (status === 429) return 'throttled';
  return status !== undefined && status >= 400 && status < 500 ? 'rejected' : 'upstream_error';
}

function reasonOfStatus(status: number): FailureReason {
  if (status === 401 || status === 403) return 'credentials';
  if (status === 429) return 'throttled';
  return status >= 400 && status < 500 ? 'rejected' : 'upstream_error';
}
