/**
 * Reads the code out of an error body, read loosely: ours (`{error: {code}}`) and AWS's JSON forms.
 * Free text in it is never passed on: it may repeat the input.
 */
import * as z from 'zod/mini';
import type { FailureReason } from '../../shared/decide/plan-types.ts';

const ownErrorSchema = z.object({ error: z.object({ code: z.string() }) });

/** The model server's own code, or undefined where the body is somebody else's. */
export function serverErrorCode(body: string): string | undefined {
  const parsed = ownErrorSchema.safeParse(parseJson(body));
  return parsed.success ? parsed.data.error.code : undefined;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** AWS names an error as `namespace#Name:url`, in a header or in the body. */
export function awsErrorName(headers: Headers, body: unknown): string | undefined {
  const named =
    headers.get('x-amzn-errortype') ?? textField(body, '__type') ?? textField(body, 'code') ?? textField(body, 'Code');
  if (named === undefined) return undefined;
  const name = named.split(':')[0]?.split('#').at(-1);
  return name !== undefined && /^[A-Za-z]{1,64}$/.test(name) ? name : undefined;
}

export function textField(value: unknown, field: string): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  const held: unknown = Reflect.get(value, field);
  return typeof held === 'string' ? held : undefined;
}

export function numberField(value: unknown, field: string): number | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  const held: unknown = Reflect.get(value, field);
  return typeof held === 'number' ? held : undefined;
}

/** The model server's codes are those of shared/errors.ts, as far as an upstream can answer with them. */
const REASON_OF_CODE: Readonly<Record<string, FailureReason>> = {
  invalid_json: 'rejected',
  invalid_encoding: 'rejected',
  invalid_request: 'rejected',
  invalid_input: 'rejected',
  batch_too_large: 'rejected',
  payload_too_large: 'rejected',
  unsupported_media_type: 'rejected',
  model_unknown: 'rejected',
  not_ready: 'not_ready',
  overloaded: 'throttled',
  deadline_exceeded: 'timeout',
  model_broken: 'model_broken',
  not_configured: 'model_broken',
};

/** The meaning of the model server's own code, in a line or in an error body; undefined where it means nothing special. */
export function reasonOfServerCode(code: string): FailureReason | undefined {
  return Object.hasOwn(REASON_OF_CODE, code) ? REASON_OF_CODE[code] : undefined;
}
