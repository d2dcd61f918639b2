/** The edge target's own life: loading once, leaving a broken model alone, and stopping between items. */
import { describe, expect, it } from 'vitest';
import { EngineInputError, ModelFormatError } from '../../../worker/engine/errors.ts';
import { createEdgeTarget } from '../../../worker/targets/edge.ts';
import type { EngineModel } from '../../../worker/engine/model.ts';
import { fakeModel, shelfOf } from '../../fakes/engine-models.ts';
import type { Load } from '../../fakes/engine-models.ts';
import { WeightsError } from '../../../worker/store/weights.ts';
import type { LoadFailure } from '../../../worker/store/load-pauses.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { sampleTarget, textCall } from '../../fakes/sample-call.ts';
import { testConfig } from '../test-config.ts';

const never = new AbortController().signal;

const LABELS = ['yes', 'no', 'oos'];

function model(onClassify: () => void = () => undefined): EngineModel {
  return fakeModel(LABELS, () => {
    onClassify();
    const probabilities = Float32Array.of(0.9, 0.1, 0);
    return { labelIndex: 0, label: 'yes', confidence: 0.9, probabilities, truncated: true };
  });
}

function open(load: Load, clock = createFakeClock(), shelf = shelfOf(load, clock)) {
  const target = createEdgeTarget({ spec: sampleTarget('edge'), models: testConfig().models, clock, shelf });
  return { clock, shelf, target };
}

describe('the edge target', () => {
  it('loads a model once for many calls at the same time, and not before the first', async () => {
    let loads = 0;
    const { target } = open(async () => {
      loads += 1;
      await new Promise((resolve) => setTimeout(resolve, 10));
      return model();
    });
    expect(loads).toBe(0);
    await Promise.all(Array.from({ length: 8 }, () => target.infer(textCall(['a']), never)));
    await target.infer(textCall(['a']), never);
    expect(loads).toBe(1);
  });

  it('does not load again for the targets of another configuration', async () => {
    let loads = 0;
    const load: Load = async () => {
      loads += 1;
      return model();
    };
    const first = open(load);
    await first.target.infer(textCall(['a']), never);
    for (let configuration = 0; configuration < 3; configuration += 1) {
      await open(load, first.clock, first.shelf).target.infer(textCall(['a']), never);
    }
    expect(loads).toBe(1);
  });

  it('says nothing of compute time, ranks labels and keeps what the engine says', async () => {
    const result = await open(async () => model()).target.infer(textCall(['a']), never);
    expect(result).toEqual({
      kind: 'answered',
      computeMs: null,
      predictions: [
        {
          kind: 'class',
          label: 'yes',
          confidence: 0.9,
          truncated: true,
          top: expect.arrayContaining([{ label: 'no', confidence: expect.closeTo(0.1) }]) as unknown,
        },
      ],
    });
  });

  it('leaves a model that failed to load alone for a while, then tries again', async () => {
    let loads = 0;
    const { target, clock } = open(async () => {
      loads += 1;
      if (loads === 1) throw new ModelFormatError('secret detail');
      return model();
    });
    expect(await target.infer(textCall(['a']), never)).toEqual({
      kind: 'failed',
      reason: 'model_broken',
      detail: 'the model cannot be loaded: model_corrupt',
      computeMs: null,
      retryAfterMs: 1_000,
    });
    clock.advance(999);
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ reason: 'model_broken', retryAfterMs: 1 });
    expect(await target.check(never)).toMatchObject({
      ok: false,
      detail: expect.stringContaining('mood/micro broken') as unknown,
    });
    expect(loads).toBe(1);
    clock.advance(1);
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ kind: 'answered' });
    expect(await target.check(never)).toEqual({ ok: true, detail: 'mood/micro loaded, dots/micro not_loaded' });
  });

  it('takes a loader that throws before its first await for a failed load', async () => {
    const { target } = open(() => {
      throw new Error('at once');
    });
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ reason: 'model_broken' });
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ reason: 'model_broken' });
  });

  it('starts over when a load was abandoned with the request that began it', async () => {
    let loads = 0;
    const { target, clock } = open(() => {
      loads += 1;
      return loads === 1 ? new Promise<EngineModel>(() => undefined) : Promise.resolve(model());
    });
    expect(await target.infer(textCall(['a'], { timeoutMs: 10 }), never)).toMatchObject({ reason: 'timeout' });
    clock.advance(10_000);
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ kind: 'answered' });
  });

  it('stops between items when the caller leaves', async () => {
    const caller = new AbortController();
    let classified = 0;
    const { target } = open(async () =>
      model(() => {
        classified += 1;
        if (classified === 3) caller.abort();
      }),
    );
    const texts = Array.from({ length: 64 }, () => 'a');
    expect(await target.infer(textCall(texts), caller.signal)).toMatchObject({ reason: 'cancelled' });
    expect(classified).toBe(3);
  });

  it('stops between items when the time is over', async () => {
    const clock = createFakeClock();
    const { target } = open(async () => model(() => clock.advance(30)), clock);
    const result = await target.infer(textCall(['a', 'b', 'c', 'd', 'e'], { timeoutMs: 50 }), never);
    expect(result).toMatchObject({ reason: 'timeout', detail: '2 of 5 items were answered in time' });
  });

  it('hears of a caller who leaves while a long batch runs', async () => {
    const caller = new AbortController();
    let classified = 0;
    const { target } = open(async () => model(() => void (classified += 1)));
    const pending = target.infer(textCall(Array.from({ length: 2_000 }, () => 'a')), caller.signal);
    setTimeout(() => caller.abort(), 0);
    expect(await pending).toMatchObject({ reason: 'cancelled' });
    expect(classified).toBeLessThan(2_000);
  });

  it.each([
    [new EngineInputError('private words'), 'rejected'],
    [new RangeError('private words'), 'model_broken'],
  ])('makes a value of what the engine throws: %s', async (error, reason) => {
    const { target } = open(async () =>
      model(() => {
        throw error;
      }),
    );
    const result = await target.infer(textCall(['a']), never);
    expect(result).toMatchObject({ kind: 'failed', reason });
    expect(JSON.stringify(result)).not.toContain('private');
  });

  it('pauses longer each time a model fails to load, and names a failure once until it is another', async () => {
    const clock = createFakeClock();
    const codes = ['weights_missing', 'weights_missing', 'weights_corrupt'] as const;
    let loads = 0;
    const failures: LoadFailure[] = [];
    const load: Load = () => {
      const code = codes[loads];
      loads += 1;
      return code === undefined ? Promise.resolve(model()) : Promise.reject(new WeightsError(code, 'of the file'));
    };
    const { target } = open(
      load,
      clock,
      shelfOf(load, clock, (failure) => failures.push(failure)),
    );
    const pauses: unknown[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const result = await target.infer(textCall(['a']), never);
      expect(result).toMatchObject({ reason: 'model_broken', detail: `the model cannot be loaded: ${codes[attempt]}` });
      pauses.push(result.kind === 'failed' && result.retryAfterMs);
      clock.advance(2 ** attempt * 1_000);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000]);
    expect(failures).toEqual([
      { path: 'mood/weights', code: 'weights_missing', detail: 'of the file' },
      { path: 'mood/weights', code: 'weights_corrupt', detail: 'of the file' },
    ]);
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ kind: 'answered' });
  });

  it('says what is cold and for how long, what is broken, and nothing once it is loaded', async () => {
    let isBroken = true;
    const { target, clock } = open(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      clock.advance(30);
      if (isBroken) throw new ModelFormatError('cut');
      return model();
    });
    expect(target.cold?.('mood')).toEqual({
      'mood/micro': { kind: 'loading', loadMs: expect.closeTo(4, 1) as unknown },
    });
    await target.infer(textCall(['a']), never);
    expect(target.cold?.('mood')).toEqual({ 'mood/micro': { kind: 'broken', retryAfterMs: 1_000 } });
    isBroken = false;
    clock.advance(1_000);
    await target.infer(textCall(['a']), never);
    expect(target.cold?.('mood')).toBeUndefined();
    expect(target.cold?.('nobody')).toBeUndefined();
  });

  it('loads ahead when told to, and counts down while it does', async () => {
    const spec = sampleTarget('edge');
    const serves = spec.serves.map((served) => ({ ...served, load_prior_ms: 80 }));
    const clock = createFakeClock();
    let finish: (loaded: EngineModel) => void = () => undefined;
    const shelf = shelfOf(() => new Promise((resolve) => (finish = resolve)), clock);
    const target = createEdgeTarget({ spec: { ...spec, serves }, models: testConfig().models, clock, shelf });
    target.warm?.('mood', 'micro');
    await new Promise((resolve) => setTimeout(resolve, 0));
    clock.advance(30);
    expect(target.cold?.('mood')).toEqual({ 'mood/micro': { kind: 'loading', loadMs: 50 } });
    clock.advance(60);
    expect(target.cold?.('mood')).toEqual({ 'mood/micro': { kind: 'loading', loadMs: 20 } });
    finish(model());
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(target.cold?.('mood')).toBeUndefined();
    expect(await target.infer(textCall(['a']), never)).toMatchObject({ kind: 'answered' });
  });

  it('does not answer from a file whose labels are not the registry’s', async () => {
    const { target } = open(async () => fakeModel(['no', 'yes', 'oos'], (input) => model().classify(input)));
    expect(await target.infer(textCall(['a']), never)).toMatchObject({
      reason: 'model_broken',
      detail: 'the file has other labels than the registry',
    });
  });

  it('refuses a variant it carries no weights for', async () => {
    const { target } = open(async () => model());
    expect(await target.infer(textCall(['a'], { variant: 'large' }), never)).toMatchObject({ reason: 'rejected' });
  });
});
