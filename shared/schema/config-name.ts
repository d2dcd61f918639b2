/** Names inside a configuration: of models, variants, targets, routes, tenants. Owns the one form they have. */
import * as z from 'zod';

export const configName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be lower-case letters, digits, dot, dash or underscore');
