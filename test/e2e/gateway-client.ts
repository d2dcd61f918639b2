/**
 * A caller of the edge URL as tests need one: the whole answer, its headers and the time it took; readiness and metrics.
 * Owns the wire from the caller's side; what an answer must say is each test's business.
 */
import { expect, vi } from 'vitest';
import { createGatewayClient } from '../../client/gateway-client.ts';
import type { Stack } from '../../local/stack.ts';
import type { ReadinessAnswer } from '../../shared/schema/answers.ts';
import type { Config } from '../../shared/schema/config.ts';

/** Only what tests look at. */
type Attempt = {
  readonly target: string;
  readonly variant: string;
  readonly why: 'first' | 'escalation' | 'fallback';
  readonly outcome: 'accepted' | 'partly_accepted' | 'low_confidence' | 'failed';
  readonly reason: string | null;
  readonly detail: string;
  readonly items: number;
  readonly accepted_items: number;
  readonly latency_ms: number;
  readonly cost_usd: number;
};

export type Answer = {
  readonly request_id: string;
  readonly variant: string;
  readonly predictions: readonly {
    readonly label: string;
    readonly confidence: number;
    readonly variant: string;
    readonly target: string;
    readonly accepted: boolean;
  }[];
  readonly target_used: { readonly kind: string; readonly id: string; readonly region: string };
  readonly latency_ms: number;
  readonly cost_usd: number;
  readonly cache: 'miss' | 'hit' | 'semantic' | 'stale';
  readonly decision: {
    readonly target_selected: { readonly id: string } | null;
    readonly fallback_chain: readonly Attempt[];
    readonly policy: string;
    readonly reason: string;
    readonly missed: readonly string[];
    readonly predicted: { readonly latency_ms: number; readonly cost_usd: number; readonly accuracy: number } | null;
    readonly actual: { readonly latency_ms: number; readonly cost_usd: number };
    readonly cloud_only_cost_usd: number;
    readonly config_version: string;
    readonly refused?: readonly { readonly target: string; readonly reason: string; readonly detail: string }[];
  };
  readonly error?: { readonly code: string; readonly message: string; readonly request_id: string };
};

/** How long a test waits for what should happen at once: the machine may be busy with something else. */
export const SOON = { timeout: 10_000, interval: 20 };

export type Reply = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Answer;
  readonly roundTripMs: number;
};

export async function ask(
  url: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const startedAtMs = performance.now();
  const response = await fetch(`${url}/v1/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Answer;
  return {
    status: response.status,
    headers: response.headers,
    body: answer,
    roundTripMs: performance.now() - startedAtMs,
  };
}

/** What happened, short enough for one comparison: `lambda failed cut`, `edge accepted`. */
export function chainOf({ body }: Reply): string[] {
  return body.decision.fallback_chain.map(({ target, outcome, reason }) =>
    reason === null ? `${target} ${outcome}` : `${target} ${outcome} ${reason}`,
  );
}

/** Asking makes the worker look at the table, so a test need not wait for the look that comes by itself. */
export function readiness(url: string): Promise<ReadinessAnswer> {
  return createGatewayClient({ url }).readiness();
}

export async function publishAndWait(stack: Stack, config: Config): Promise<string> {
  const version = String(await stack.publish(config));
  await vi.waitFor(async () => expect((await readiness(stack.url)).config.version).toBe(version), SOON);
  return version;
}

export type Metrics = {
  readonly source: 'isolate' | 'table';
  readonly request_count: number;
  readonly error_count: number;
  readonly fallback_rate: number;
  readonly escalation_rate: number;
  readonly stale_count: number;
  /** Requests the worker is working on. */
  readonly queue_depth: number;
  readonly cost_usd: number;
  readonly response_time_ms: { readonly p50: number | null; readonly count: number };
  readonly by_route: readonly { readonly route: string; readonly request_count: number }[];
  readonly by_target: readonly {
    readonly target: string;
    readonly attempt_count: number;
    readonly failure_count: number;
  }[];
};

export async function metricsOf(url: string, headers: Record<string, string> = {}): Promise<Metrics> {
  const response = await fetch(`${url}/v1/metrics?minutes=15`, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Metrics;
}

/** Rates as what they were before the division. */
export function countsOf(metrics: Metrics): {
  requests: number;
  errors: number;
  fallbacks: number;
  escalations: number;
} {
  return {
    requests: metrics.request_count,
    errors: metrics.error_count,
    fallbacks: Math.round(metrics.fallback_rate * metrics.request_count),
    escalations: Math.round(metrics.escalation_rate * metrics.request_count),
  };
}
