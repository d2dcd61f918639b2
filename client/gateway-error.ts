/**
 * An error answer of the gateway, as a client's exception: code, whether to try again, and when.
 */
export class GatewayAnswerError extends Error {
  override readonly name = 'GatewayAnswerError';
  readonly status: number;
  readonly code: string;
  readonly isRetryable: boolean;
  readonly requestId: string;
  /** The field at fault, as a path, or undefined. */
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(answer: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
    readonly isRetryable: boolean;
    readonly requestId: string;
    readonly field: string | undefined;
    readonly retryAfterMs: number | undefined;
  }) {
    super(answer.message);
    this.status = answer.status;
    this.code = answer.code;
    this.isRetryable = answer.isRetryable;
    this.requestId = answer.requestId;
    this.field = answer.field;
    this.retryAfterMs = answer.retryAfterMs;
  }
}
