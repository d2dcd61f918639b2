/** A cascade that holds an answer and asks a place that hangs, while another one could answer. */
import { describe, expect, it } from 'vitest';
import type { Config, TargetSpec } from '../../../shared/schema/config.ts';
import { answering, createHarness, type Harness, type Script } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };

/** Micro at the edge, then large in two regions; 10 s by default. */
function twoRegions(): Config {
  return testConfig((config) => ({
    ...config,
    targets: config.targets.flatMap((spec) => {
      if (spec.id === 'lambda') return [];
      return spec.id === 'sagemaker' ? [spec, { ...spec, id: 'far', region: 'eu-west-1' }] : [spec];
    }),
    routes: config.routes.map((route) => ({
      ...route,
      policy: {
        kind: 'cascade',
        steps: [
          { variant: 'micro', accept_confidence: 0.9 },
          { variant: 'large', accept_confidence: 0 },
        ],
      },
    })),
  }));
}

/** Swallows a call: its time passes and nothing comes. */
function hanging(harness: Harness): Script {
  return (call) => {
    harness.nowMs += call.timeoutMs;
    return { kind: 'failed', reason: 'timeout', detail: 'scripted', computeMs: null };
  };
}

function specOf(harness: Harness, id: string): TargetSpec {
  const spec = harness.config.targets.find((target) => target.id === id);
  if (spec === undefined) throw new Error(`no target ${id}`);
  return spec;
}

describe('a place that hangs behind an answer that is not sure enough', () => {
  it('costs a quarter of the time, not nearly all of it, where the variant can be had elsewhere', async () => {
    const harness = createHarness({ config: twoRegions() });
    harness.scripts['edge'] = answering(0.3);
    harness.scripts['sagemaker'] = hanging(harness);
    harness.scripts['far'] = hanging(harness);
    const hung = harness.nowMs;
    const first = await harness.post(ask);
    const [one = '', other = ''] = first.body.decision.fallback_chain.slice(1).map(({ target }) => target);
    expect([one, other].toSorted()).toEqual(['far', 'sagemaker']);
    // Of the two the last has nobody behind it, and the caller could wait.
    expect(harness.calls.map(({ call }) => Math.round(call.timeoutMs)).slice(1)).toEqual([2_500, 7_500]);
    expect(harness.nowMs - hung).toBe(10_000);
    expect(first.body.predictions[0]).toMatchObject({ variant: 'micro', accepted: false });

    harness.scripts[other] = answering(0.95, 'no');
    const begun = harness.nowMs;
    const { body } = await harness.post({ ...ask, input_data: 'again' });
    expect(body.predictions[0]).toMatchObject({ variant: 'large', label: 'no', target: other });
    expect(harness.nowMs - begun).toBeLessThanOrEqual(2_500);
  });

  it('is waited for longer by and by, where it only has become that slow', async () => {
    const harness = createHarness({ config: twoRegions() });
    harness.scripts['edge'] = answering(0.3);
    harness.scripts['far'] = answering(0.95);
    harness.scripts['sagemaker'] = hanging(harness);
    const estimate = () =>
      harness.services.state.targetState(specOf(harness, 'sagemaker'), undefined, 'mood', harness.nowMs).latency[
        'mood/large'
      ];
    for (let call = 0; call < 6; call += 1) await harness.post({ ...ask, input_data: `text ${call}` });
    expect(harness.calls.filter(({ target }) => target === 'sagemaker').length).toBeGreaterThan(0);
    expect(estimate()?.p50Ms).toBeGreaterThan(900);
  });
});
