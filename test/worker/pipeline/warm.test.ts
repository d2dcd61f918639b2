// Variants set aside for being cold are loaded for those who come next, and no others.

import { expect, it } from 'vitest';
import type { ColdModel } from '../../../shared/decide/facts.ts';
import { decide } from '../../../shared/decide/plan.ts';
import type { Target } from '../../../worker/ports.ts';
import { warmTooCold } from '../../../worker/pipeline/warm.ts';
import { edge, factsWith, lambda } from '../../shared/decide/world.ts';

function warmedBy(leftMs: number, cold: ColdModel | undefined): string[] {
  const warmed: string[] = [];
  const state = edge(cold === undefined ? {} : { cold });
  const target: Target = {
    spec: state.spec,
    unreachable: undefined,
    infer: () => Promise.reject(new Error('nobody asks')),
    check: async () => ({ ok: true, detail: '' }),
    cold: () => state.cold,
    warm: (model, variant) => void warmed.push(`${model}/${variant}`),
  };
  warmTooCold(decide(factsWith({ leftMs, targets: [state, lambda()] })), 'intent', new Map([['edge', target]]));
  return warmed;
}

it.each([
  ['loads ahead what a hurried request could not wait for', 80, { kind: 'loading', loadMs: 90 }, ['intent/micro']],
  ['leaves it to the attempt where there is time', 1_000, { kind: 'loading', loadMs: 90 }, []],
  ['leaves a broken file alone', 80, { kind: 'broken', retryAfterMs: 500 }, []],
  ['has nothing to load where all is loaded, however short the time', 0.5, undefined, []],
] as const)('%s', (_name, leftMs, cold, warmed) => {
  expect(warmedBy(leftMs, cold)).toEqual(warmed);
});
