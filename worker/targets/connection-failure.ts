/**
 * What `fetch` throws -> why no answer came. Node names the cause by code, workerd only in words, and with the same words
 * for a refused connection and a broken one.
 */
import { failed, type FailedResult } from './failure.ts';

const CUT_SIGNS = /UND_ERR_SOCKET|ECONNRESET|EPIPE|connection lost|disconnected|closed/i;

export function failConnection(error: unknown): FailedResult {
  return CUT_SIGNS.test(describe(error))
    ? failed('cut', 'the connection could not be made, or broke before the answer began')
    : failed('connect_failed', 'no connection could be made');
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return `${code} ${error.message} ${error.cause === undefined ? '' : describe(error.cause)}`;
}
