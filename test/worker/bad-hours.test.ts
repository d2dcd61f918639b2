/** DynamoDB away for an hour, and clocks that jump: requests are answered all the same. */
import { describe, expect, it } from 'vitest';
import { breakerVerdict } from '../../shared/resilience/breaker.ts';
import type { Config } from '../../shared/schema/config.ts';
import { createConfigKeeper } from '../../worker/store/config-keeper.ts';
import { createGuardKeeper } from '../../worker/store/guard-keeper.ts';
import { createRecordSink } from '../../worker/store/record-sink.ts';
import { createFakeClock } from '../fakes/fake-clock.ts';
import { createMemoryConfigStore } from '../fakes/memory-config-store.ts';
import { createMemoryGuardStore } from '../fakes/memory-guard-store.ts';
import { createMemoryMetricsStore } from '../fakes/memory-metrics-store.ts';
import { guaranteed } from '../shared/guard/guaranteed-route.ts';
import { answering, createHarness, failing } from './harness.ts';
import { testConfig } from './test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('DynamoDB away for an hour', () => {
  it('leaves routing, the guarantee and the last good configuration as they were, and catches up afterwards', async () => {
    const clock = createFakeClock();
    const described = (description: string): Config =>
      testConfig((config) => ({
        ...config,
        description,
        routes: config.routes.map((route) => (route.name === 'mood' ? { ...route, guarantee: guaranteed } : route)),
      }));
    const [configs, metrics, guards] = [
      createMemoryConfigStore(),
      createMemoryMetricsStore(),
      createMemoryGuardStore(),
    ];
    const background: Promise<unknown>[] = [];
    const keep = (work: Promise<unknown>): void => void background.push(work);
    configs.publish(described('before'));
    const keeper = createConfigKeeper({
      store: configs,
      embedded: testConfig(),
      clock,
      random: () => 0.5,
      refreshMs: 10_000,
      loadTimeoutMs: 50,
    });
    const sink = createRecordSink({
      store: metrics,
      clock,
      random: () => 0.5,
      isolateId: 'one',
      sleep: async () => undefined,
    });
    const guard = createGuardKeeper({
      store: guards,
      clock,
      random: () => 0.5,
      isolateId: 'one',
      sleep: async () => undefined,
    });
    const harness = createHarness({ clock, keeper, guard, sink });
    await keeper.refresh();
    await harness.post(ask);
    await Promise.all(background.splice(0));

    configs.misbehave('fail');
    metrics.misbehave('fail');
    guards.misbehave('fail');
    for (let passedMs = 0; passedMs < HOUR_MS; passedMs += 10_000) {
      clock.advance(10_000);
      const { status, body } = await harness.post({ ...ask, input_data: `hello ${passedMs}` });
      expect([status, body.decision.config_version]).toEqual([200, '1']);
      keeper.current(keep);
      await sink.flush(false);
      await Promise.all(background.splice(0));
    }
    expect(keeper.status()).toMatchObject({ version: '1', config: { description: 'before' } });
    expect(keeper.status().lastError).not.toBeNull();
    expect(sink.stats().waitingWindows).toBeLessThanOrEqual(31);

    configs.publish(described('after'));
    configs.misbehave(undefined);
    metrics.misbehave(undefined);
    guards.misbehave('no');
    clock.advance(120_000);
    await keeper.refresh();
    expect((await harness.post({ ...ask, input_data: 'later' })).body.decision.config_version).toBe('2');
    for (let minute = 0; minute < 40; minute += 1) {
      clock.advance(60_000);
      await sink.flush(true);
    }
    expect(sink.stats().waitingWindows).toBe(0);
    const { storedWindows, droppedRecords } = sink.stats();
    // Nothing vanishes without a word: every request of the hour is in a stored window or counted as dropped.
    expect(storedWindows).toBeGreaterThan(0);
    expect(droppedRecords).toBeGreaterThan(0);
  });
});

describe.each([
  ['a day ahead', DAY_MS],
  ['a day back', -DAY_MS],
  ['a minute back', -60_000],
])('a clock that jumps %s', (_name, jumpMs) => {
  it('leaves no breaker open for longer than it was meant to be', async () => {
    const harness = createHarness();
    harness.scripts['sagemaker'] = failing('upstream_error');
    for (let call = 0; call < 6; call += 1)
      await harness.post({ ...ask, input_data: `a ${call}`, model_complexity: 'high' });
    const verdict = () => breakerVerdict(harness.services.state.breakerOf('sagemaker'), harness.nowMs);
    expect(verdict()).toBe('open');
    harness.nowMs += jumpMs;
    harness.scripts['sagemaker'] = answering(0.99);
    harness.nowMs += 2_001;
    expect((await harness.post({ ...ask, input_data: 'b', model_complexity: 'high' })).body.target_used.id).toBe(
      'sagemaker',
    );
    expect(verdict()).toBe('closed');
  });

  it('serves no cached answer for longer than it lives', async () => {
    const harness = createHarness();
    const [route] = harness.config.routes;
    await harness.post(ask);
    harness.nowMs += jumpMs;
    const ttlMs = route?.cache.ttl_ms ?? 0;
    let servedMs = 0;
    while (servedMs < DAY_MS && (await harness.post({ ...ask, cache: 'default' })).body.cache === 'hit') {
      servedMs += 60_000;
      harness.nowMs += 60_000;
      // A new answer was put by the first miss: only the old one is watched.
      if (servedMs > 2 * ttlMs + 120_000) break;
    }
    expect(servedMs).toBeLessThanOrEqual(ttlMs + 120_000);
  });

  it('goes on deciding, with latencies, budgets, limits and places remembered', async () => {
    const harness = createHarness({
      config: testConfig((config) => ({
        ...config,
        routes: config.routes.map((route) => ({
          ...route,
          budget: { usd_per_hour: 1, burst_usd: 1 },
          hedge: { max_extra_ratio: 0.05 },
        })),
      })),
    });
    const cloud = (text: string) => harness.post({ ...ask, input_data: text, placement: 'cloud' });
    for (let call = 0; call < 30; call += 1) {
      harness.nowMs += 50;
      expect((await cloud(`before ${call}`)).status).toBe(200);
    }
    harness.nowMs += jumpMs;
    for (let call = 0; call < 30; call += 1) {
      harness.nowMs += 50;
      const { status, body } = await cloud(`after ${call}`);
      expect([status, body.decision.missed]).toEqual([200, []]);
    }
    const { state } = harness.services;
    expect(state.inFlight).toBe(0);
    const spec = harness.config.targets.find(({ id }) => id === 'lambda');
    if (spec === undefined) throw new Error('no lambda');
    const { latency } = state.targetState(spec, undefined, 'mood', harness.nowMs);
    for (const estimate of Object.values(latency)) {
      for (const value of Object.values(estimate)) expect(Number.isFinite(value) && value >= 0).toBe(true);
    }
    expect(Number.isFinite(state.endedPerSecond(harness.nowMs))).toBe(true);
    expect(state.edgeLoad(harness.config.targets[0], harness.nowMs).cpuRatio).toBeLessThan(1);
  });
});
