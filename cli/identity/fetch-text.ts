/** Reads a published document as whoever verifies a token does: over HTTPS, without credentials. */
import { UserError } from '../user-error.ts';

export async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new UserError(`${url} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  if (!response.ok) throw new UserError(`${url} answers HTTP ${response.status}`);
  return response.text();
}
