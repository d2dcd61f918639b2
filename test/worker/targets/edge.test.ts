/** The edge target's own life: loading once, leaving a broken model alone, and stopping between items. */
import { describe, expect, it } from 'vitest';
import { EngineInputError, ModelFormatError } from '../../../worker/engine/errors.ts';
import { createEdgeTarget } from '../../../worker/targets/edge.ts';
import type { EdgeModel, EdgeModelLoader } from '../../../worker/targets/edge.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { sampleTarget, textCall } from '../../fakes/sample-call.ts';

const never = new AbortController().signal;

function model(onClassify: () => void = () => undefined): EdgeModel {
  return {
    classify() {
      onClassify();
      return {
        labelIndex: 0,
        label: 'yes',
        confidence: 0.9,
        probabilities: Float32Array.of(0.9, 0.1, 0),
        truncated: true,
      };
    },
  };
}

function open(load: EdgeModelLoader, clock = createFakeClock()) {
  return {
    clock,
    target: createEdgeTarget({
      spec: sampleTarget('edge'),
      clock,
      loaders: { 'mood/micro': load, 'dots/micro': load },
      reloadPauseMs: 1_000,
    }),
  };
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
    const load = async (): Promise<EdgeModel> => {
      loads += 1;
      return model();
    };
    for (let configuration = 0; configuration < 3; configuration += 1) {
      await open(load).target.infer(textCall(['a']), never);
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
      detail: 'the model cannot be loaded',
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
    expect(await target.check(never)).toEqual({ ok: true, detail: 'mood/micro loaded, dots/micro loaded' });
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
      return loads === 1 ? new Promise<EdgeModel>(() => undefined) : Promise.resolve(model());
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
    expect(result).toMatchObject({ reason: 'timeout', detail: '2 of 5 items were classified in time' });
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

  it('refuses a variant it carries no weights for', async () => {
    const { target } = open(async () => model());
    expect(await target.infer(textCall(['a'], { variant: 'large' }), never)).toMatchObject({ reason: 'rejected' });
  });
});
