/**
 * 405 for an endpoint that has other methods: HTTP wants them named.
 */
import { GatewayError } from '../../shared/errors.ts';

export function methodNotAllowed(...allowed: readonly string[]): GatewayError {
  const asked = allowed.filter((method) => method !== 'HEAD');
  return new GatewayError('method_not_allowed', `Use ${asked.join(' or ')}.`, {
    headers: { allow: allowed.join(', ') },
  });
}
