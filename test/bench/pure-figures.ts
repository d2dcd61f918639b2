/**
 * How fast the pure core is under Node, by processor time: one decision over realistic facts, one value into a sketch.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defaultConfig } from '../../shared/config/default-config.ts';
import type { Facts } from '../../shared/decide/facts.ts';
import { decide } from '../../shared/decide/plan.ts';
import { addToSketch, createSketch } from '../../shared/measure/sketch.ts';
import { initialBreaker } from '../../shared/resilience/breaker.ts';
import { cardSchema, type Card } from '../../shared/schema/card.ts';

const NOW_MS = 1_700_000_000_000;
const MODEL = 'intent';
const BATCH = 2_000;

export function decidePerSecond(durationMs: number): number {
  const facts = realisticFacts();
  let attempts = 0;
  const rate = perCpuSecond(durationMs, () => {
    attempts += decide(facts).attempts.length;
  });
  if (attempts === 0) throw new Error('the facts of the benchmark give no plan');
  return rate;
}

export function sketchAddPerSecond(durationMs: number): number {
  const sketch = createSketch();
  let value = 1;
  return perCpuSecond(durationMs, () => {
    value = (value * 16_807) % 2_147_483_647;
    addToSketch(sketch, value / 1e7);
  });
}

/** Calls per second of this process's own processor time, its garbage collection included. */
function perCpuSecond(durationMs: number, call: () => void): number {
  for (let warm = 0; warm < BATCH; warm += 1) call();
  const before = process.cpuUsage();
  const endAtMs = performance.now() + durationMs;
  let calls = 0;
  while (performance.now() < endAtMs) {
    for (let index = 0; index < BATCH; index += 1) call();
    calls += BATCH;
  }
  const { user, system } = process.cpuUsage(before);
  return (1e6 * calls) / (user + system);
}

/** As an isolate has them in the middle of its life: every place reachable, each with observed latencies. */
function realisticFacts(): Facts {
  const config = defaultConfig([readCard(MODEL)], {
    region: 'us-east-1',
    lambdaFunctionUrl: 'https://example.lambda-url.us-east-1.on.aws/',
    sagemakerEndpointName: 'large',
    sagemakerBaseUrl: null,
  });
  const [model] = config.models;
  const [route] = config.routes;
  if (model === undefined || route === undefined) throw new Error(`the card of ${MODEL} gives no model`);
  return {
    nowMs: NOW_MS,
    random: 0.5,
    deadlineAtMs: NOW_MS + route.default_deadline_ms,
    requirements: {
      latencyMs: undefined,
      complexity: 'auto',
      priority: 'normal',
      minAccuracy: undefined,
      maxCostNanos: undefined,
      placement: 'any',
      variant: undefined,
    },
    itemCount: 1,
    inputBytes: 320,
    model,
    route,
    targets: config.targets.map((spec) => ({
      spec,
      breaker: initialBreaker,
      inFlight: 2,
      computeMs: {},
      latency: Object.fromEntries(
        spec.serves.map(({ model: name, variant }) => [
          `${name}/${variant}`,
          { count: 400, p50Ms: 18, p95Ms: 41, p99Ms: 70 },
        ]),
      ),
      unreachable: undefined,
    })),
    gatewayPrice: config.gateway_price,
  };
}

export function readCard(name: string): Card {
  const file = fileURLToPath(new URL(`../../models/${name}/card.json`, import.meta.url));
  return cardSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}
