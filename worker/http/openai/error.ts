/**
 * OpenAI's form of an error: `{error: {message, type, param, code}}`. Clients choose what to raise by status.
 */
import { statusOf, type GatewayError } from '../../../shared/errors.ts';
import { failureHeaders } from '../decision-headers.ts';

export function openAiError(error: GatewayError, requestId: string): Response {
  return Response.json(openAiErrorBody(error), {
    status: statusOf(error.code),
    headers: failureHeaders(error, requestId),
  });
}

export function openAiErrorBody(error: GatewayError): Record<string, unknown> {
  return {
    error: {
      message: error.message,
      type: typeOf(statusOf(error.code)),
      // What the native contract calls input_data is the body itself here.
      param: error.field?.replace(/^input_data\.?/, '') || null,
      code: error.code,
    },
  };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 404) return 'not_found_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
