/**
 * The configuration in force, for a caller who may read it.
 */
import type { Config } from '../../shared/schema/config.ts';
import { apiKeyFrom, identify } from '../pipeline/identify.ts';
import type { Exchange } from './exchange.ts';

/** @throws GatewayError where the caller is not known or may not read */
export async function configForReader({ request, keepAlive, services }: Exchange): Promise<Config> {
  const inForce = await services.config.ready((work) => keepAlive(work));
  await identify(apiKeyFrom(request.headers), 'read', inForce, services.access);
  return inForce.config;
}
