/** Several requests at once whose attempts end in any order and any way: what must hold, whatever that order is. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nanosFromUsd } from '../../../shared/measure/pricing.ts';
import { inputCount } from '../../../shared/schema/model-input.ts';
import type { Config } from '../../../shared/schema/config.ts';
import type { TargetResult } from '../../../worker/ports.ts';
import { createHarness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const PRICE_USD = 0.01;
const PLACES = ['edge', 'lambda', 'sagemaker'] as const;

type World = { readonly burstUsd: number; readonly most: number; readonly retries: number; readonly policy: number };

const cascade: Config['routes'][number]['policy'] = {
  kind: 'cascade',
  steps: [
    { variant: 'micro', accept_confidence: 0.9 },
    { variant: 'base', accept_confidence: 0.8 },
    { variant: 'large', accept_confidence: 0 },
  ],
};

function configOf({ burstUsd, most, retries, policy }: World): Config {
  return testConfig((config) => ({
    ...config,
    retry_budget: { ratio: 0, burst: retries },
    targets: config.targets.map((spec) =>
      spec.id === 'edge'
        ? spec
        : { ...spec, max_concurrency: most, price: { kind: 'flat', usd_per_request: PRICE_USD } },
    ),
    routes: config.routes.map((route) => ({
      ...route,
      policy: [cascade, { kind: 'most_accurate' } as const][policy] ?? cascade,
      speculation: { priorities: ['high'] },
      budget: { usd_per_hour: 0, burst_usd: burstUsd },
    })),
  }));
}

const world = fc.record({
  burstUsd: fc.constantFrom(0.005, 0.015, 0.035, 1),
  most: fc.constantFrom(1, 2, 100),
  retries: fc.constantFrom(0, 1, 100),
  policy: fc.constantFrom(0, 0, 1),
});

const request = fc.record({
  inputs: fc.constantFrom(1, 1, 1, 2, 3),
  priority: fc.constantFrom('low', 'high', 'high'),
  /** All but the first two hold the edge and one other place at once, not in sequence: for `high` the other begins early. */
  latency: fc.constantFrom(undefined, 25, 32.5, 32.5, 32.5, 39, 42.5, 42.5, 45.5),
  /** Of each input's answer; null: the attempt fails. Taken in turn by the attempts of the request. */
  answers: fc.array(fc.option(fc.constantFrom(0.3, 0.85, 0.95)), { minLength: 12, maxLength: 12 }),
});

describe('requests at once, whatever order their attempts end in', () => {
  it('keep to budget, room and retries, ask for something, and leave nothing behind', async () => {
    let contended = 0;
    let speculated = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        world,
        fc.array(request, { minLength: 2, maxLength: 6 }),
        async (scheduler, options, requests) => {
          const harness = createHarness({ config: configOf(options) });
          const running = { edge: 0, lambda: 0, sagemaker: 0 };
          let remote = 0;
          for (const place of PLACES) {
            harness.scripts[place] = async (call, signal): Promise<TargetResult> => {
              expect(inputCount(call.input)).toBeGreaterThan(0);
              expect(call.timeoutMs).toBeGreaterThan(0);
              running[place] += 1;
              if (place !== 'edge') {
                remote += 1;
                expect(running[place]).toBeLessThanOrEqual(options.most);
              }
              await Promise.race([scheduler.schedule(Promise.resolve(), place), aborted(signal)]);
              running[place] -= 1;
              const text = call.input.kind === 'text' ? (call.input.texts[0] ?? '') : '';
              const asked = requests[Number(text.split(' ')[1])];
              const seen = asked?.answers[PLACES.indexOf(place)];
              if (seen === null || seen === undefined)
                return { kind: 'failed', reason: 'upstream_error', detail: 'scripted', computeMs: 0 };
              const predictions = Array.from({ length: inputCount(call.input) }, (_, at) => ({
                kind: 'class' as const,
                label: 'yes',
                confidence: asked?.answers[3 + PLACES.indexOf(place) * 3 + at] ?? seen,
                top: [],
                truncated: false,
              }));
              return { kind: 'answered', predictions, computeMs: 1 };
            };
          }
          const asked = requests.map(({ inputs, priority, latency }, at) =>
            harness.post({
              model_name: 'mood',
              input_data: Array.from({ length: inputs }, (_, input) => `request ${at} input ${input}`),
              priority,
              cache: 'bypass',
              ...(latency === undefined ? {} : { latency_requirement: latency }),
            }),
          );
          const answers = await scheduler.waitFor(Promise.all(asked));
          const spent = remote * nanosFromUsd(PRICE_USD);
          expect(spent).toBeLessThanOrEqual(nanosFromUsd(options.burstUsd));
          if (remote > 0 && (requests.length * PRICE_USD > options.burstUsd || options.most < requests.length))
            contended += 1;
          const { state } = harness.services;
          expect([state.inFlight, ...PLACES.map((id) => state.inFlightOf(id))]).toEqual([0, 0, 0, 0]);
          const retried = harness.records.flatMap(({ attempts }) =>
            attempts.filter(({ why, kind }) => why === 'fallback' && kind !== 'edge'),
          );
          expect(retried.length).toBeLessThanOrEqual(options.retries + turnedAway(harness.records));
          for (const { status, body } of answers) {
            expect([200, 422, 429, 503, 504]).toContain(status);
            if (status !== 200) continue;
            const isSure = body.predictions.every(({ accepted }) => accepted);
            expect(body.decision.missed.includes('confidence')).toBe(!isSure);
          }
          for (const { attempts, costNanos } of harness.records) {
            if (attempts.some(({ why }) => why === 'speculation')) speculated += 1;
            const sum = attempts.reduce((total, one) => total + one.costNanos, 0);
            expect(costNanos - sum).toBeGreaterThan(0);
            expect(costNanos - sum).toBeLessThan(1_000);
          }
        },
      ),
      { numRuns: 600 },
    );
    // The property says something only where requests are in one another's way.
    expect(Math.min(contended, speculated)).toBeGreaterThan(5);
  });
});

/** As an upstream hears of a caller that let go. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
  });
}

/** Attempts that never ran spend nothing, retries included. */
function turnedAway(records: ReturnType<typeof createHarness>['records']): number {
  return records.flatMap(({ attempts }) =>
    attempts.filter(
      ({ outcome, reason }) => outcome === 'failed' && (reason === 'throttled' || reason === 'connect_failed'),
    ),
  ).length;
}
