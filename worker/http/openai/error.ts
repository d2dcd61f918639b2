/**
 * OpenAI's form of an error: `{error: {message, type, param, code}}`. Clients choose what to raise by status.
 */
import { statusOf, type GatewayError } from '../../../shared/errors.ts';
import { failureHeaders } from '../decision-headers.ts';

export type OpenAiEndpoint = 'embeddings' | 'chat_completions';

export function openAiError(error: GatewayError, requestId: string, endpoint: OpenAiEndpoint): Response {
  return Response.json(openAiErrorBody(error, endpoint), {
    status: statusOf(error.code),
    headers: failureHeaders(error, requestId),
  });
}

export function openAiErrorBody(error: GatewayError, endpoint: OpenAiEndpoint): Record<string, unknown> {
  return {
    error: {
      message: inOpenAiWords(error.message, endpoint),
      type: typeOf(statusOf(error.code)),
      param: error.field === undefined ? null : inOpenAiWords(error.field, endpoint),
      code: error.code,
    },
  };
}

const INPUT_OF: Readonly<Record<OpenAiEndpoint, string>> = { embeddings: 'input', chat_completions: 'messages' };

/** A path, or a message that begins with one. A conversation's parts lie in the body itself here. */
function inOpenAiWords(text: string, endpoint: OpenAiEndpoint): string {
  return text
    .replace(/^model_name\b/, 'model')
    .replace(/^input_data\.(?=[a-z])/, '')
    .replace(/^input_data\b/, INPUT_OF[endpoint]);
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 404) return 'not_found_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
