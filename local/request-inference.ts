/**
 * One call of `POST /v1/infer` from this machine, its answer parsed. Used by the demo and the evaluation.
 */
import * as z from 'zod';

const attemptSchema = z.object({
  target: z.string(),
  kind: z.string(),
  variant: z.string(),
  why: z.enum(['first', 'escalation', 'fallback', 'speculation', 'hedge']),
  outcome: z.string(),
  reason: z.string().nullable(),
  detail: z.string(),
});

const answerSchema = z.object({
  request_id: z.string(),
  variant: z.string(),
  predictions: z.array(
    z.object({
      label: z.string(),
      confidence: z.number(),
      variant: z.string(),
      target: z.string(),
      accepted: z.boolean(),
    }),
  ),
  target_used: z.object({ kind: z.string(), id: z.string(), region: z.string() }),
  latency_ms: z.number(),
  cost_usd: z.number(),
  cache: z.enum(['miss', 'hit', 'semantic', 'stale']),
  decision: z.object({
    fallback_chain: z.array(attemptSchema),
    reason: z.string(),
    cloud_only_cost_usd: z.number(),
  }),
});

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export type Answer = z.infer<typeof answerSchema>;

export type Sent =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly roundTripMs: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly roundTripMs: number };

export async function requestInference(
  url: string,
  body: Record<string, unknown>,
  apiKey: string | undefined,
): Promise<Sent> {
  const startedAt = performance.now();
  let response: Response;
  let value: unknown;
  try {
    response = await fetch(`${url}/v1/infer`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify(body),
    });
    value = await response.json();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', code: 'unreachable', message, roundTripMs: performance.now() - startedAt };
  }
  const roundTripMs = performance.now() - startedAt;
  if (response.ok) return { kind: 'answered', answer: answerSchema.parse(value), roundTripMs };
  const failure = errorSchema.safeParse(value);
  return failure.success
    ? { kind: 'failed', ...failure.data.error, roundTripMs }
    : { kind: 'failed', code: `http_${response.status}`, message: 'an answer this client does not know', roundTripMs };
}
