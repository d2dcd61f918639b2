/**
 * Asks the gateway itself. Owns the address, the key and what a refusal is called; answers are the caller's to parse.
 */
import { CommandFailure } from '../command-failure.ts';
import { gatewayUrl, given, type Environment, type GlobalFlags } from './connection.ts';

const TIMEOUT_MS = 10_000;

export type GatewayAnswer = { readonly status: number; readonly body: unknown };

export function mustNameGateway(flags: GlobalFlags, env: Environment): string {
  const url = gatewayUrl(flags, env);
  if (url !== undefined) return url;
  throw new CommandFailure('usage', 'Which gateway? Give --gateway or set GATEWAY_URL.');
}

/** @throws CommandFailure where nothing answers, or not in JSON, or not this caller */
export async function askGateway(url: string, path: string, env: Environment): Promise<GatewayAnswer> {
  const apiKey = given(env['API_KEY']);
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new CommandFailure('unreachable', `Nothing answers at ${url}: ${reasonOf(error)}.`);
  }
  if (response.status === 401 || response.status === 403) {
    const who = apiKey === undefined ? 'callers without a key' : 'this key';
    throw new CommandFailure('denied', `${url} refuses ${who} (HTTP ${response.status}): set API_KEY, scope read.`);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (body === undefined) {
    throw new CommandFailure('unreachable', `${url}${path} answered HTTP ${response.status}, and not in JSON.`);
  }
  return { status: response.status, body };
}

/** fetch says only "fetch failed"; why is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error.message;
}
