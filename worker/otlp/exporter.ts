/**
 * Traces and metrics for an OpenTelemetry collector, over OTLP/HTTP in JSON. Owns what waits to be sent, bounded, and when: after
 * answers, never before one. What is lost is counted; nothing is sent twice. The form is shared/otlp.
 */
import type { RequestRecord } from '../../shared/schema/record.ts';
import { addToOtlpMetrics, emptyOtlpMetrics, type OtlpMetrics } from '../../shared/otlp/metrics.ts';
import type { Clock } from '../ports.ts';

export type OtlpExporterOptions = {
  /** Base URL: `/v1/traces` and `/v1/metrics` are under it. */
  readonly endpoint: string;
  /** What the collector asks for, a key perhaps. */
  readonly headers: Readonly<Record<string, string>>;
  readonly service: OtlpService;
  readonly clock: Clock;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  readonly sleep?: (ms: number) => Promise<void>;
  onFailure?(detail: string): void;
};

type OtlpService = { readonly name: string; readonly environment: string; readonly instance: string };

export type OtlpExporter = {
  add(record: RequestRecord): void;
  /** Resolves when what waits has been sent; undefined where nothing waits, or somebody sees to it already. */
  exportWhenDue(): Promise<void> | undefined;
  /** Sends now what waits. */
  flush(): Promise<void>;
  stats(): { readonly sent: number; readonly dropped: number };
};

/** Traces of so many requests wait at most; each is a few hundred bytes. */
const MAX_WAITING = 256;
const DELAY_MS = 5_000;
const TIMEOUT_MS = 5_000;
/** A request that was to send and died with its own end. */
const ABANDONED_AFTER_MS = DELAY_MS + 2 * TIMEOUT_MS;

export function createOtlpExporter(options: OtlpExporterOptions): OtlpExporter {
  const { clock } = options;
  const send = options.fetch ?? ((url, init) => fetch(url, init));
  const sleep = options.sleep ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  const base = options.endpoint.replace(/\/$/, '');
  let waiting: RequestRecord[] = [];
  let metrics: OtlpMetrics = emptyOtlpMetrics(clock.now());
  let claimedUntilMs = 0;
  let sent = 0;
  let dropped = 0;

  async function post(path: string, body: string): Promise<boolean> {
    try {
      const response = await send(`${base}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...options.headers },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: 'manual',
      });
      await response.body?.cancel();
      if (response.ok) return true;
      options.onFailure?.(`the collector answered HTTP ${response.status} to ${path}`);
    } catch {
      options.onFailure?.(`the collector cannot be reached (${path})`);
    }
    return false;
  }

  async function flush(): Promise<void> {
    const records = waiting;
    const window = metrics;
    waiting = [];
    metrics = emptyOtlpMetrics(clock.now());
    // Loaded with the first export: a first answer needs none of it.
    const { renderTraces } = await import('../../shared/otlp/traces.ts');
    const { renderOtlpMetrics } = await import('../../shared/otlp/render-metrics.ts');
    if (records.length > 0) {
      if (await post('/v1/traces', JSON.stringify(renderTraces(records, options.service)))) sent += records.length;
      else dropped += records.length;
    }
    if (window.routes.size > 0)
      await post('/v1/metrics', JSON.stringify(renderOtlpMetrics(window, clock.now(), options.service)));
  }

  return {
    add(record) {
      addToOtlpMetrics(metrics, record);
      if (record.trace?.sampled !== true) return;
      if (waiting.length < MAX_WAITING) waiting.push(record);
      else dropped += 1;
    },
    exportWhenDue() {
      const nowMs = clock.now();
      if (metrics.routes.size === 0) return undefined;
      // The second half: a claim from before the clock went back must not hold for ever.
      if (nowMs < claimedUntilMs && claimedUntilMs - nowMs <= ABANDONED_AFTER_MS) return undefined;
      claimedUntilMs = nowMs + ABANDONED_AFTER_MS;
      return sleep(DELAY_MS).then(() => {
        claimedUntilMs = 0;
        return flush();
      });
    },
    flush,
    stats: () => ({ sent, dropped }),
  };
}

/** `name=value,name=value`, as worker/env.ts has checked it. */
export function parseOtlpHeaders(text: string): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',').filter((part) => part !== '')) {
    const at = pair.indexOf('=');
    headers[pair.slice(0, at).toLowerCase()] = pair.slice(at + 1);
  }
  return headers;
}
