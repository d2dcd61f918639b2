/**
 * The native form of an error: `{error: {code, message, field?, retryable, request_id}}`, with the status of the one table.
 */
import { isRetryable, statusOf, type GatewayError } from '../../shared/errors.ts';
import type { Decision } from '../../shared/schema/infer-result.ts';
import { failureHeaders } from './decision-headers.ts';
import { renderDecision } from './render-result.ts';

export function errorResponse(error: GatewayError, requestId: string, decision: Decision | null = null): Response {
  const body = {
    error: {
      code: error.code,
      message: error.message,
      ...(error.field === undefined ? {} : { field: error.field }),
      retryable: isRetryable(error.code),
      request_id: requestId,
    },
    ...(decision === null ? {} : { decision: renderDecision(decision) }),
  };
  return Response.json(body, { status: statusOf(error.code), headers: failureHeaders(error, requestId) });
}
