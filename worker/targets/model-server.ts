/**
 * A target that is the model server behind an AWS front door. Owns the order of one attempt: refuse what is too large,
 * get credentials, sign, send, read. Leaves out what differs between front doors (url, service, how errors look).
 */
import { DEADLINE_HEADER, REQUEST_ID_HEADER, TRACEPARENT_HEADER } from '../../shared/names.ts';
import type { ModelSpec, TargetSpec } from '../../shared/schema/config.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { UPSTREAM_CONTENT_TYPE } from '../../shared/names.ts';
import type { Fetch } from '../aws/fetch.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import { runAttempt } from './attempt.ts';
import { createAwsSigner } from '../aws/aws-signer.ts';
import type { AwsHeaders, AwsSigner } from '../aws/aws-signer.ts';
import type { CredentialsSource } from '../aws/credentials.ts';
import { Stages, type StageLimits } from './chat/stages.ts';
import { failConnection } from './connection-failure.ts';
import { failed } from './failure.ts';
import type { FailedResult } from './failure.ts';
import { readBoundedText } from '../aws/bounded-text.ts';
import { encodeUpstreamRequest } from './upstream-request.ts';
import { readUpstreamAnswer } from './upstream-answer.ts';

/** What every target behind an AWS front door is made of. */
export type AwsTargetOptions = {
  readonly spec: TargetSpec;
  /** Undefined where this deployment has none: the target then says it is unreachable. */
  readonly credentials: CredentialsSource | undefined;
  readonly clock: Clock;
  readonly fetch?: Fetch;
};

export type ErrorAnswer = { readonly status: number; readonly headers: Headers; readonly body: string };

export type FrontDoor = {
  readonly service: string;
  /** Undefined where the configuration names none. */
  readonly url: string | undefined;
  readonly missingUrl: string;
  headersOf(call: TargetCall): Readonly<Record<string, string>>;
  /** The door's own limit, beside the target's configured one. */
  takes(body: Uint8Array): boolean;
  /** Maps an answer that is not 2xx. */
  failureOf(answer: ErrorAnswer, nowMs: number): FailedResult;
};

/** What is said through the front door. */
export type ServerWire = {
  readonly accept: string;
  /** Where waiting is divided into stages. */
  readonly stages?: StageLimits;
  /** The body, or why there is none. */
  encode(call: TargetCall, maxBytes: number): Uint8Array<ArrayBuffer> | FailedResult;
  /** Reads a 2xx answer. */
  read(response: Response, call: TargetCall, stages: Stages | undefined): Promise<TargetResult>;
};

/** Enough of an error body to know its code. */
const MAX_ERROR_BYTES = 8_192;

export function createModelServerTarget(
  options: AwsTargetOptions,
  door: FrontDoor,
  wire: ServerWire = createModelServerWire(),
): Target {
  const { spec, credentials, clock } = options;
  const send: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const signer = door.url === undefined ? undefined : createAwsSigner(door.service, spec.region, door.url, clock);

  const unreachable =
    door.url === undefined
      ? door.missingUrl
      : credentials === undefined
        ? 'no AWS credentials are configured'
        : undefined;

  async function attempt(
    call: TargetCall,
    url: string,
    sign: AwsSigner,
    source: CredentialsSource,
    signal: AbortSignal,
  ): Promise<TargetResult> {
    const body = wire.encode(call, spec.max_payload_bytes);
    if ('kind' in body) return body;
    if (!door.takes(body)) return failed('rejected', `the input exceeds the limit of ${door.service}`);
    const headers = await signedHeaders(call, sign, body, source, signal);
    if (headers === undefined) return failed('credentials', 'no AWS credentials could be had');
    if (signal.aborted) return failed('cancelled', 'the attempt ended before it was sent');
    if (wire.stages === undefined) return exchange(call, url, headers, body, signal, undefined);
    const stages = new Stages(wire.stages, signal);
    try {
      return await exchange(call, url, headers, body, stages.signal, stages);
    } finally {
      stages.end();
    }
  }

  async function exchange(
    call: TargetCall,
    url: string,
    headers: AwsHeaders,
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
    stages: Stages | undefined,
  ): Promise<TargetResult> {
    stages?.enter('connect');
    let response: Response;
    try {
      response = await send(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    } catch (error) {
      return stages?.expired === undefined ? failConnection(error) : failed('timeout', stages.expired);
    }
    if (response.ok) return wire.read(response, call, stages);
    const text = await readBoundedText(response.body, MAX_ERROR_BYTES);
    return door.failureOf({ status: response.status, headers: response.headers, body: text }, clock.now());
  }

  async function signedHeaders(
    call: TargetCall,
    sign: AwsSigner,
    body: Uint8Array<ArrayBuffer>,
    source: CredentialsSource,
    signal: AbortSignal,
  ): Promise<AwsHeaders | undefined> {
    const headers = {
      'content-type': 'application/json',
      accept: wire.accept,
      [REQUEST_ID_HEADER]: call.requestId,
      [DEADLINE_HEADER]: String(Math.round(call.timeoutMs)),
      ...(call.traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: call.traceparent }),
      ...door.headersOf(call),
    };
    try {
      return await sign(headers, body, await source.get(signal));
    } catch {
      return undefined;
    }
  }

  return {
    spec,
    unreachable,
    async infer(call, signal) {
      const { url } = door;
      if (url === undefined || signer === undefined) return failed('connect_failed', door.missingUrl);
      if (credentials === undefined) return failed('credentials', 'no AWS credentials are configured');
      return runAttempt(Math.min(call.timeoutMs, spec.timeout_ms), signal, (inner) =>
        attempt(call, url, signer, credentials, inner),
      );
    },
    async check(signal) {
      return door.url === undefined ? { ok: false, detail: door.missingUrl } : checkFrontDoor(send, door.url, signal);
    },
  };
}

/**
 * Asks without a signature: AWS refuses that with 403 before anything runs or is billed, and to be refused it must be
 * there. An upstream that answers 5xx, or nothing, is not.
 */
async function checkFrontDoor(send: Fetch, url: string, signal: AbortSignal): Promise<{ ok: boolean; detail: string }> {
  try {
    const response = await send(url, { method: 'GET', signal, redirect: 'manual' });
    await response.body?.cancel();
    return { ok: response.status < 500, detail: `answers HTTP ${response.status} to an unsigned request` };
  } catch {
    return { ok: false, detail: signal.aborted ? 'did not answer in time' : 'cannot be reached' };
  }
}

/** Our own model server: one JSON document there, JSON Lines back. */
function createModelServerWire(): ServerWire {
  const labelsOf = createLabelSets();
  return {
    accept: UPSTREAM_CONTENT_TYPE,
    encode(call, maxBytes) {
      const { input } = call;
      if (input.kind === 'tensors' || input.kind === 'chat')
        return failed('rejected', `the model server takes no ${input.kind}`);
      const body = encodeUpstreamRequest({ ...call, input }, maxBytes);
      return body ?? failed('rejected', `the input exceeds this target's ${maxBytes} bytes`);
    },
    read: (response, call) =>
      readUpstreamAnswer(response, { count: inputCount(call.input), labels: labelsOf(call.model) }),
  };
}

/** One set per model document, not per request. */
function createLabelSets(): (model: ModelSpec) => ReadonlySet<string> {
  const sets = new WeakMap<ModelSpec, ReadonlySet<string>>();
  return (model) => {
    const known = sets.get(model);
    if (known !== undefined) return known;
    const made = new Set(model.labels);
    sets.set(model, made);
    return made;
  };
}
