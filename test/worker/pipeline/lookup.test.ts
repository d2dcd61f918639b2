import { describe, expect, it } from 'vitest';
import type { AnsweredItem, TargetUsed } from '../../../shared/schema/infer-result.ts';
import type { Prediction } from '../../../shared/schema/prediction.ts';
import { createAnswerCache } from '../../../worker/pipeline/lookup.ts';
import type { CachedAnswer, StoredAnswer } from '../../../worker/pipeline/stored-answer.ts';
import { createLruCache } from '../../../worker/store/lru-cache.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { createMemorySharedCache } from '../../fakes/memory-shared-cache.ts';

const place: TargetUsed = { kind: 'gpu', id: 'gpu', region: 'local' };
const lifetime = { ttlMs: 60_000, staleIfErrorMs: 60_000, share: true };

function answerOf(...predictions: Prediction[]): CachedAnswer {
  const items: AnsweredItem[] = predictions.map((prediction) => ({
    prediction,
    variant: 'large',
    target: place,
    accepted: true,
  }));
  return { items, variant: 'large', targetUsed: place, cloudOnlyCostNanos: 7 };
}

const common = { confidence: 1, truncated: false };

function tensors(bytes: Uint8Array): Prediction {
  return { ...common, kind: 'tensors', outputs: [{ name: 'scores', datatype: 'UINT8', shape: [bytes.length], bytes }] };
}

const answers: readonly [string, CachedAnswer][] = [
  ['a label', answerOf({ ...common, kind: 'class', label: 'yes', top: [{ label: 'yes', confidence: 0.9 }] })],
  ['a vector', answerOf({ ...common, kind: 'embedding', embedding: [0.5, -0.25] })],
  ['tensors', answerOf(tensors(Uint8Array.from({ length: 256 }, (_, value) => value)))],
  ['an empty tensor', answerOf(tensors(new Uint8Array(0)))],
  [
    'a text',
    answerOf({
      ...common,
      kind: 'text',
      text: 'good\u2028day',
      finishReason: 'stop',
      tokens: { prompt: 1, completion: 2 },
    }),
  ],
];

function caches() {
  const clock = createFakeClock();
  const shared = createMemorySharedCache(clock);
  const isolate = (maxBytes = 1_000_000) => {
    const local = createLruCache<StoredAnswer>(maxBytes);
    return { local, answers: createAnswerCache(local, shared, clock) };
  };
  return { isolate, clock, shared };
}

describe('the answer cache', () => {
  it.each(answers)('gives another isolate %s as it was', async (_name, answer) => {
    const { isolate } = caches();
    await isolate().answers.put('key', answer, lifetime);
    expect(await isolate().answers.shared('key', 40)).toEqual(answer);
    expect(await isolate().answers.stale('key')).toEqual(answer);
  });

  it.each([
    '{"putAtMs":1,"answer":{"items":[{"prediction":{"kind":"tensors","outputs":[{"bytes":{"0":1}}]}}]}}',
    '"',
    '7',
  ])('takes %s in the shared cache for a miss', async (text) => {
    const { shared, isolate } = caches();
    await shared.put('key', text, 60_000);
    expect(await isolate().answers.shared('key', 40)).toBeUndefined();
    expect(await isolate().answers.stale('key')).toBeUndefined();
  });

  it('finds a stale answer of another isolate where its own is too old', async () => {
    const { clock, isolate } = caches();
    const [own, other] = [isolate().answers, isolate().answers];
    const answer = answerOf({ ...common, kind: 'embedding', embedding: [1] });
    await own.put('key', answer, lifetime);
    clock.advance(100_000);
    await other.put('key', answer, lifetime);
    clock.advance(100_000);
    expect(await own.stale('key')).toEqual(answer);
  });

  it.each<[string, Prediction, number]>([
    ['tensors', tensors(new Uint8Array(500_000)), 500_000],
    ['a vector', { ...common, kind: 'embedding', embedding: Array.from({ length: 50_000 }, () => 0.5) }, 400_000],
    [
      'a text',
      {
        ...common,
        kind: 'text',
        text: 'a'.repeat(200_000),
        finishReason: 'stop',
        tokens: { prompt: 1, completion: 1 },
      },
      400_000,
    ],
  ])(
    'counts %s by what it takes, so that few of them fill the isolate’s memory',
    async (_name, prediction, atLeast) => {
      const { local, answers: cache } = caches().isolate();
      for (let key = 0; key < 20; key += 1)
        await cache.put(`key ${key}`, answerOf(prediction), { ...lifetime, share: false });
      expect(local.count).toBeLessThanOrEqual(1_000_000 / atLeast);
      expect(local.sizeBytes).toBeGreaterThanOrEqual(atLeast);
    },
  );
});
