/**
 * Native fields, whoever wrote them -> WireInferRequest, or an error that names the field.
 */
import { GatewayError } from '../../shared/errors.ts';
import { inferRequestSchema, type WireInferRequest } from '../../shared/schema/infer-request.ts';
import { issuePath } from '../../shared/schema/issue-path.ts';

export function parseWire(value: unknown): WireInferRequest {
  const parsed = inferRequestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new GatewayError('invalid_request', 'The request does not have the expected shape.');
  if (issue.code === 'unrecognized_keys') {
    const field = issue.keys[0] ?? '';
    throw new GatewayError('invalid_request', `${field}: is not a field of this request.`, { field });
  }
  const field = issuePath(issue.path);
  throw new GatewayError('invalid_request', `${field}: ${issue.message}.`, { field });
}
