/**
 * Whether a deployment answers: alive, ready on the stored configuration, and right about one sentence. Patient for a minute,
 * because a new address takes a while to be known everywhere.
 */
import * as z from 'zod';
import { CommandFailure } from '../command-failure.ts';

export type SmokeTools = {
  readonly fetch: typeof fetch;
  readonly sleep: (ms: number) => Promise<void>;
};

const TRIES = 12;
const PAUSE_MS = 5_000;
const TIMEOUT_MS = 10_000;
const QUESTION = { model_name: 'intent', input_data: 'wake me up at seven' };

const readySchema = z.object({
  ready: z.boolean(),
  config: z.object({ version: z.string(), source: z.string(), last_error: z.string().nullable() }),
});
const answerSchema = z.object({ target_used: z.object({ id: z.string() }), cost_usd: z.number() });

/** @returns one line for people */
export async function smokeTest(url: string, apiKey: string | undefined, tools: SmokeTools): Promise<string> {
  let problem = '';
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (attempt > 0) await tools.sleep(PAUSE_MS);
    const looked = await look(url, apiKey, tools.fetch);
    if (looked.ok) return looked.said;
    problem = looked.said;
  }
  throw new CommandFailure('unhealthy', `It is deployed and does not answer as it should: ${problem}`);
}

type Looked = { readonly ok: boolean; readonly said: string };

async function look(url: string, apiKey: string | undefined, send: typeof fetch): Promise<Looked> {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const call = async (path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> => {
    const response = await send(`${url}${path}`, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { status: response.status, body: await response.json().catch(() => undefined) };
  };
  try {
    const alive = await call('/healthz');
    if (alive.status !== 200) return { ok: false, said: `GET /healthz gave HTTP ${alive.status}` };
    const ready = readySchema.safeParse((await call('/readyz')).body);
    if (!ready.success) return { ok: false, said: 'GET /readyz is not this gateway' };
    const { version, source, last_error: lastError } = ready.data.config;
    if (source !== 'dynamodb' || !ready.data.ready) {
      return {
        ok: false,
        said: `it is not ready: configuration ${version}, ${lastError ?? 'no target can be reached'}`,
      };
    }
    const asked = await call('/v1/infer', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(QUESTION),
    });
    // Without its key only this much can be known: that it asks for one.
    if (asked.status === 401 && apiKey === undefined) {
      return {
        ok: true,
        said: `${url} is ready on configuration ${version} and asks for a key; set API_KEY to have it answer here.`,
      };
    }
    const answer = answerSchema.safeParse(asked.body);
    if (asked.status !== 200 || !answer.success) return { ok: false, said: `POST /v1/infer gave HTTP ${asked.status}` };
    return {
      ok: true,
      said: `${url} is ready on configuration ${version}; ${answer.data.target_used.id} answered for ${answer.data.cost_usd} USD.`,
    };
  } catch (error) {
    return { ok: false, said: error instanceof Error ? error.message : String(error) };
  }
}
