/**
 * The protocol's own form of an error: `{"error": "message"}`. The code stands in a header.
 */
import { OpenInferenceError } from '../../../shared/open-inference/protocol-error.ts';
import { GatewayError, statusOf } from '../../../shared/errors.ts';
import { failureHeaders } from '../decision-headers.ts';

export function openInferenceError(error: GatewayError, requestId: string): Response {
  return Response.json(
    { error: error.message },
    { status: statusOf(error.code), headers: failureHeaders(error, requestId) },
  );
}

/** What a caller's tensors did wrong, as the pipeline's own error. */
export function asCallersFault<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof OpenInferenceError)) throw error;
    throw new GatewayError('invalid_input', `${error.path} ${error.message}.`, { field: error.path });
  }
}
