import { describe, expect, it } from 'vitest';
import type { AuditedAnswer, Guard } from '../../../worker/ports.ts';
import { createGuardKeeper } from '../../../worker/store/guard-keeper.ts';
import { createMemoryGuardStore, type MemoryGuardStore } from '../../fakes/memory-guard-store.ts';
import { guaranteed, model, record, route, START_MS } from '../../shared/guard/guaranteed-route.ts';

const MINUTE_MS = 60_000;

type Isolate = { readonly guard: Guard; readonly settle: () => Promise<void>; readonly states: () => string[] };

function world(): {
  store: MemoryGuardStore;
  errors: unknown[];
  advance: (ms: number) => void;
  isolate: (id: string, shared?: boolean) => Isolate;
} {
  const store = createMemoryGuardStore();
  const errors: unknown[] = [];
  let nowMs = START_MS;
  return {
    store,
    errors,
    advance: (ms) => {
      nowMs += ms;
    },
    isolate(isolateId, shared = true) {
      const guard = createGuardKeeper({
        store: shared ? store : undefined,
        clock: { now: () => nowMs },
        random: () => 0,
        isolateId,
        onFailure: (error) => errors.push(error),
        sleep: async () => undefined,
      });
      const work: Promise<void>[] = [];
      const look = () => guard.standings(route, model, (one) => work.push(one));
      return {
        guard,
        /** One look, and what it began. */
        settle: async () => {
          look();
          await Promise.all(work.splice(0));
        },
        states: () => look().map(({ state, threshold }) => `${state} ${threshold}`),
      };
    },
  };
}

const answers = (count: number, agreed: boolean, confidence = 0.8): AuditedAnswer[] =>
  Array.from({ length: count }, () => ({ shortcut: 'micro', calibrationId: record.id, confidence, agreed }));

describe('guard keeper', () => {
  it('accepts nothing of a shortcut before its first look, and then what was calibrated', async () => {
    const { guard, settle, states } = world().isolate('a');
    expect(states()).toEqual(['uncalibrated null', 'uncalibrated null']);
    expect(guard.draws(route, model, 'micro')).toBe(false);
    await settle();
    await Promise.resolve();
    await settle();
    expect(states()).toEqual(['active 0.7', 'uncalibrated null']);
    expect(guard.draws(route, model, 'micro')).toBe(true);
  });

  it('says nothing of a route without a guarantee', () => {
    const { guarantee: _none, ...plain } = route;
    const { guard } = world().isolate('a');
    expect(guard.standings(plain, model, () => undefined)).toEqual([]);
    expect(guard.draws(plain, model, 'micro')).toBe(false);
  });

  it('stands as calibrated where the store cannot be read', async () => {
    const { store, errors, isolate } = world();
    store.misbehave('fail');
    const { settle, states } = isolate('a');
    await settle();
    expect(states()).toEqual(['active 0.7', 'uncalibrated null']);
    expect(errors).toHaveLength(1);
  });

  it('takes a newer record of the store over the configured one', async () => {
    const { store, isolate } = world();
    store.putRecord(route.name, {
      ...record,
      id: 'c2',
      calibrated_at: new Date(START_MS + 1).toISOString(),
      threshold: 0.8,
      band_edges: [0.8],
    });
    const { settle, states } = isolate('a');
    await settle();
    expect(states()[0]).toBe('active 0.8');
  });

  it('tightens in every isolate by the audits of all, once nothing more can come', async () => {
    const { store, advance, isolate } = world();
    const [a, b] = [isolate('a'), isolate('b')];
    await a.settle();
    await b.settle();
    a.guard.count(route, model, [...answers(15, false), ...answers(150, true, 0.95)]);
    b.guard.count(route, model, [...answers(15, false), ...answers(150, true, 0.95)]);
    await a.guard.flushWhenOver();
    await b.guard.flush();
    expect(store.windows.size).toBe(2);
    advance(2 * MINUTE_MS);
    await a.settle();
    expect(a.states()[0]).toBe('active 0.7');
    advance(2.5 * MINUTE_MS);
    const late = isolate('c');
    for (const one of [a, b, late]) {
      await one.settle();
      expect(one.states()[0]).toBe('tightened 0.9');
    }
  });

  it('puts one window however many audits, and its wait once', async () => {
    const { store, isolate } = world();
    const { guard, settle } = isolate('a');
    await settle();
    expect(guard.flushWhenOver()).toBeUndefined();
    guard.count(route, model, answers(10, true));
    const put = guard.flushWhenOver();
    guard.count(route, model, answers(10, false));
    expect(guard.flushWhenOver()).toBeUndefined();
    await put;
    expect([...store.windows.values()].map(({ counts }) => counts)).toEqual([{ c1: [20, 10, 0, 0] }]);
  });

  it('puts a refused window again under its key, and drops it when it would come too late', async () => {
    const { store, errors, advance, isolate } = world();
    const { guard, settle } = isolate('a');
    await settle();
    store.misbehave('fail');
    guard.count(route, model, answers(1, true));
    await guard.flush();
    expect(errors).toHaveLength(1);
    store.misbehave('no');
    await guard.flush();
    expect(store.windows.size).toBe(1);
    store.misbehave('fail');
    guard.count(route, model, answers(1, true));
    await guard.flush();
    store.misbehave('no');
    advance(4 * MINUTE_MS);
    await guard.flush();
    expect(store.windows.size).toBe(1);
  });

  it('sums settled windows up for those who come later, with the same result', async () => {
    const { store, advance, isolate } = world();
    const { guard, settle, states } = isolate('a');
    for (let minute = 0; minute < 45; minute += 1) {
      await settle();
      guard.count(route, model, [...answers(20, minute % 2 === 0), ...answers(30, true, 0.95)]);
      await guard.flush();
      advance(1.3 * MINUTE_MS);
    }
    expect(store.snapshots.size).toBe(1);
    await settle();
    const tightened = states()[0];
    expect(tightened).toBe('tightened 0.9');
    const [snapshot] = store.snapshots.values();
    const settledMinute = snapshot?.settledMinute ?? 0;
    for (const [key, { minute }] of store.windows) if (minute <= settledMinute) store.windows.delete(key);
    const late = isolate('b');
    await late.settle();
    expect(late.states()[0]).toBe(tightened);
  });

  it('forgets audits drawn under a calibration that has been replaced', async () => {
    const { store, isolate } = world();
    const { guard, settle } = isolate('a');
    await settle();
    guard.count(
      route,
      model,
      answers(5, false).map((one) => ({ ...one, calibrationId: 'c0' })),
    );
    guard.count(route, model, answers(5, false, 0.1));
    await guard.flush();
    expect(store.windows.size).toBe(0);
  });

  it('without a store counts for itself', () => {
    const { advance, isolate } = world();
    const { guard, states } = isolate('a', false);
    expect(states()[0]).toBe('active 0.7');
    guard.count(route, model, [...answers(30, false), ...answers(300, true, 0.95)]);
    advance(MINUTE_MS);
    guard.count(route, model, answers(1, true));
    expect(states()[0]).toBe('tightened 0.9');
    expect(guard.flushWhenOver()).toBeUndefined();
  });

  it('begins no more audits in a minute than the guarantee allows', () => {
    const { guard } = world().isolate('a', false);
    const draws = Array.from({ length: 100 }, () => guard.draws(route, model, 'micro'));
    expect(draws.filter(Boolean)).toHaveLength(guaranteed.audit.max_per_minute);
  });
});
