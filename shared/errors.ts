/**
 * The one table of error codes. Codes are API: add, never rename.
 * Owns code -> HTTP status and whether the caller may try again. Rendering belongs to each protocol.
 */

const ERROR_TABLE = {
  invalid_json: { status: 400, retryable: false },
  invalid_encoding: { status: 400, retryable: false },
  invalid_request: { status: 400, retryable: false },
  unauthorized: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  model_unknown: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  conflict: { status: 409, retryable: true },
  payload_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  invalid_input: { status: 422, retryable: false },
  batch_too_large: { status: 422, retryable: false },
  no_eligible_target: { status: 422, retryable: false },
  budget_exhausted: { status: 429, retryable: true },
  overloaded: { status: 429, retryable: true },
  client_closed_request: { status: 499, retryable: true },
  internal: { status: 500, retryable: false },
  stream_broken: { status: 502, retryable: true },
  target_unavailable: { status: 503, retryable: true },
  chain_exhausted: { status: 503, retryable: true },
  not_configured: { status: 503, retryable: false },
  deadline_exceeded: { status: 504, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Every status an error may have, in order. */
export function errorStatuses(): readonly number[] {
  return [...new Set(Object.values(ERROR_TABLE).map(({ status }) => status))].sort((a, b) => a - b);
}

export function statusOf(code: ErrorCode): number {
  return ERROR_TABLE[code].status;
}

export function isRetryable(code: ErrorCode): boolean {
  return ERROR_TABLE[code].retryable;
}

export type GatewayErrorOptions = {
  /** The request field at fault, as a path such as `input_data[2]`. */
  readonly field?: string;
  /** For people who operate the gateway; never sent to a caller. */
  readonly detail?: string;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
  /** What HTTP wants said beside the status: `allow`, `accept-encoding`. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** The only error class thrown on purpose. `message` is public, `detail` is not. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers;
  }
}

/** What is not a GatewayError is `internal` and says nothing more to the caller. */
export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return new GatewayError('internal', 'Something went wrong on our side.', {
    detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    cause: error,
  });
}
