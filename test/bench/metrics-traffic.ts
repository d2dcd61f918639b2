/**
 * Traffic as metrics see it: requests that arrive by themselves at isolates of very different popularity, and the records
 * they leave. Owns shape and randomness; leaves out what is done with them.
 */
import type { AttemptRecord, RequestRecord } from '../../shared/schema/record.ts';
import { seeded } from './seeded.ts';

export type Arrival = { readonly atMs: number; readonly isolate: number };

export type TrafficShape = {
  readonly requestsPerSecond: number;
  readonly isolates: number;
  readonly seconds: number;
  readonly seed: number;
};

/** Zipf of colos and isolates, as FACTS of comparable traffic have it. */
const ZIPF_EXPONENT = 0.8;
const ROUTES = [
  { name: 'intent', share: 0.6 },
  { name: 'banking', share: 0.25 },
  { name: 'digits', share: 0.15 },
] as const;

/** Every isolate once within the first second, the worst case for a partition; then Poisson. In order of time. */
export function* arrivals({ requestsPerSecond, isolates, seconds, seed }: TrafficShape): Generator<Arrival> {
  const random = seeded(seed);
  const weights = Array.from({ length: isolates }, (_, rank) => (rank + 1) ** -ZIPF_EXPONENT);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const cumulative: number[] = [];
  let sum = 0;
  for (const weight of weights) cumulative.push((sum += weight / total));
  for (let isolate = 0; isolate < isolates; isolate += 1) yield { atMs: (isolate * 1_000) / isolates, isolate };
  for (let atMs = 1_000; ;) {
    atMs += (-Math.log(1 - random()) * 1000) / requestsPerSecond;
    if (atMs >= seconds * 1000) return;
    yield { atMs, isolate: indexOf(cumulative, random()) };
  }
}

function indexOf(cumulative: readonly number[], drawn: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulative[middle] ?? 1) < drawn) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One in ten from a cache; of the others 85 % at the edge, the rest through Lambda, some of them on to SageMaker. */
export function createRecords(seed: number): (startedAtMs: number) => RequestRecord {
  const random = seeded(seed);
  // Whole milliseconds, as the worker's clock has them.
  const latencyMs = (median: number): number => Math.round(median * Math.exp(0.6 * gaussian(random)));
  return (startedAtMs) => {
    const route = routeOf(random());
    const attempts: AttemptRecord[] = [];
    let total = random() < 0.5 ? 0 : Math.round(random() * 4);
    const isCached = random() < 0.1;
    if (!isCached) {
      const escalates = random() < 0.15;
      attempts.push(attempt('edge', 'micro', !escalates, 0));
      if (escalates) {
        const goesOn = random() < 0.3;
        const lambdaMs = latencyMs(28);
        attempts.push(attempt('lambda', 'base', !goesOn, lambdaMs));
        total += lambdaMs;
        if (goesOn) {
          const sagemakerMs = latencyMs(45);
          attempts.push(attempt('sagemaker', 'large', true, sagemakerMs));
          total += sagemakerMs;
        }
      }
    }
    return {
      requestId: 'bench',
      tenant: 'bench',
      route,
      model: route,
      protocol: 'native',
      priority: 'normal',
      startedAtMs,
      latencyMs: total,
      cache: isCached ? 'hit' : 'miss',
      attempts,
      items: 1,
      edgeItems: attempts.length <= 1 ? 1 : 0,
      outcome: 'ok',
      errorCode: null,
      costNanos: 306 + 700 * attempts.length,
      cloudOnlyCostNanos: 2_195,
      missed: [],
      configVersion: '1',
    };
  };
}

function routeOf(drawn: number): string {
  let left = drawn;
  for (const { name, share } of ROUTES) {
    if (left < share) return name;
    left -= share;
  }
  return 'digits';
}

function attempt(
  target: 'edge' | 'lambda' | 'sagemaker',
  variant: string,
  accepted: boolean,
  ms: number,
): AttemptRecord {
  return {
    target,
    kind: target,
    region: 'us-east-1',
    variant,
    why: target === 'edge' ? 'first' : 'escalation',
    outcome: accepted ? 'accepted' : 'low_confidence',
    reason: null,
    detail: '',
    items: 1,
    acceptedItems: accepted ? 1 : 0,
    latencyMs: ms,
    computeMs: ms / 2,
    costNanos: 700,
  };
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
