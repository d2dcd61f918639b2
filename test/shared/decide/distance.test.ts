import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/decide/plan.ts';
import type { TargetState } from '../../../shared/decide/facts.ts';
import { IsolateState } from '../../../worker/isolate-state.ts';
import { factsWith, NOW_MS, sagemaker, target } from './world.ts';

const near = { ...target('near', 'lambda', { variant: 'base', p50Ms: 15, p95Ms: 30 }), wayMs: 8 };
const far = { ...target('far', 'lambda', { variant: 'base', p50Ms: 15, p95Ms: 30 }), wayMs: 150 };

function placesOf(targets: readonly TargetState[]): string[] {
  return Array.from({ length: 20 }, (_, draw) => {
    const plan = decide(factsWith({ targets, policy: { kind: 'cheapest' }, random: draw / 20 }));
    return plan.attempts[0]?.target ?? 'none';
  });
}

describe('distance', () => {
  it('decides between regions that nobody has called yet, in whichever order they are configured', () => {
    expect(new Set(placesOf([far, near]))).toEqual(new Set(['near']));
    expect(new Set(placesOf([near, far]))).toEqual(new Set(['near']));
  });

  it('gives way to what was observed', () => {
    const observed = { count: 500, p50Ms: 40, p95Ms: 60, p99Ms: 80 };
    const quick = { ...far, latency: { 'intent/base': observed } };
    const slow = { ...near, latency: { 'intent/base': { count: 500, p50Ms: 400, p95Ms: 600, p99Ms: 800 } } };
    expect(new Set(placesOf([slow, quick]))).toEqual(new Set(['far']));
  });

  it('is not overruled by what the last calls of a region happened to cost', () => {
    const afterColdStart = { ...near, computeMs: { 'intent/base': 900 } };
    expect(new Set(placesOf([far, afterColdStart]))).toEqual(new Set(['near']));
  });

  it('does not make a dearer kind of place win under the cheapest policy', () => {
    const large = { ...sagemaker({ variant: 'base', p50Ms: 1, p95Ms: 2 }), wayMs: 1 };
    const dear = { ...large, spec: { ...large.spec, price: { kind: 'flat', usd_per_request: 1 } as const } };
    expect(new Set(placesOf([far, dear]))).toEqual(new Set(['far']));
  });

  it('is told once, by where the isolate stands, and never for the isolate itself', () => {
    const state = new IsolateState();
    const spec = (region: string) => target('a', 'lambda', { region }).spec;
    expect(state.targetState(spec('eu-west-2'), undefined, 'intent', NOW_MS).wayMs).toBeUndefined();
    const london = new IsolateState();
    london.location = { latitude: 51.5, longitude: -0.1 };
    const wayTo = (region: string) => london.targetState(spec(region), undefined, 'intent', NOW_MS).wayMs;
    expect(wayTo('eu-west-2')).toBeCloseTo(3, 0);
    expect(wayTo('us-east-1')).toBeGreaterThan(60);
    expect(wayTo('us-east-1')).toBe(wayTo('us-east-1'));
    expect(wayTo('on-the-moon')).toBeUndefined();
    expect(london.targetState(target('e', 'edge').spec, undefined, 'intent', NOW_MS).wayMs).toBeUndefined();
  });
});
