/**
 * A body of OpenAI's protocol against its schema, or an error that names the parameter.
 */
import type * as z from 'zod/mini';
import { GatewayError } from '../../../shared/errors.ts';
import { issuePath } from '../../../shared/schema/issue-path.ts';

export function parseBody<T>(schema: z.ZodMiniType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issuePath(issue?.path ?? []);
  throw new GatewayError('invalid_request', `${field}: ${issue?.message ?? 'is not as the protocol says'}.`, { field });
}
