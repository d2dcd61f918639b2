import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheKey } from '../../../shared/cache/key.ts';
import type { InferRequest } from '../../../shared/schema/infer-request.ts';
import type { ModelInput } from '../../../shared/schema/model-input.ts';

const scope = { tenant: 'acme', modelVersion: '1', routeFingerprint: 'f' };
const requestOf = (input: ModelInput): InferRequest => ({
  modelName: 'm',
  input,
  requirements: {
    latencyMs: undefined,
    complexity: 'auto',
    priority: 'normal',
    minAccuracy: undefined,
    maxCostNanos: undefined,
    placement: 'any',
    variant: undefined,
  },
  cacheMode: 'default',
  explain: false,
});
const texts = (...values: string[]): ModelInput => ({ kind: 'text', texts: values });
const image = (...pixels: number[]): ModelInput => ({
  kind: 'image',
  height: 1,
  width: pixels.length,
  channels: 1,
  images: [Float32Array.from(pixels)],
});

describe('the cache key', () => {
  it('is the same for the same text and different for any other, however lists are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (left, right) => {
        const same = JSON.stringify(left) === JSON.stringify(right);
        expect(cacheKey(requestOf(texts(...left)), scope) === cacheKey(requestOf(texts(...right)), scope)).toBe(same);
      }),
    );
    expect(cacheKey(requestOf(texts('a,b')), scope)).not.toBe(cacheKey(requestOf(texts('a', 'b')), scope));
  });

  it('tells pixels apart to the last bit', () => {
    const half = Math.fround(0.5);
    const next =
      new Float32Array(new Uint32Array([(new Uint32Array(Float32Array.of(half).buffer)[0] ?? 0) + 1]).buffer)[0] ?? 0;
    expect(cacheKey(requestOf(image(half)), scope)).toBe(cacheKey(requestOf(image(half)), scope));
    expect(cacheKey(requestOf(image(half)), scope)).not.toBe(cacheKey(requestOf(image(next)), scope));
  });

  it.each([
    ['tenant', { tenant: 'umbrella' }],
    ['model version', { modelVersion: '2' }],
    ['policy', { routeFingerprint: 'g' }],
  ])('changes with the %s', (_, change) => {
    const request = requestOf(texts('a'));
    expect(cacheKey(request, { ...scope, ...change })).not.toBe(cacheKey(request, scope));
  });
});
