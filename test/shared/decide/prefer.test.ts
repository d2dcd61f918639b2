/** A route that prefers kinds of places: they go first among those that meet the requirements, and give way when they do not. */
import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/decide/plan.ts';
import { edge, factsWith, lambda, target, type FactsOptions } from './world.ts';

const device = target('device', 'mcu', { p50Ms: 20, p95Ms: 40 });

function places(options: FactsOptions): string[] {
  return decide(factsWith(options)).attempts.map((attempt) => attempt.target);
}

describe('a route that prefers microcontrollers', () => {
  const facts = (change: FactsOptions = {}): FactsOptions => ({
    targets: [edge(), device, lambda()],
    ...change,
    route: { prefer: ['mcu'] },
  });

  it('asks them before an edge that is cheaper and quicker, and keeps that in reserve', () => {
    expect(places({ targets: [edge(), device, lambda()] })).toEqual(['edge', 'lambda', 'device']);
    expect(places(facts())).toEqual(['device', 'lambda', 'edge']);
  });

  it('asks the edge where they would be late, or are not there', () => {
    expect(places(facts({ leftMs: 30 }))[0]).toBe('edge');
    const away = target('device', 'mcu', { unreachable: 'no device is connected' });
    expect(places(facts({ targets: [edge(), away, lambda()] }))).toEqual(['edge', 'lambda']);
  });

  it('still escalates an answer that is not sure enough', () => {
    const [first, second] = decide(factsWith(facts())).attempts;
    expect([first?.acceptConfidence, second?.role]).toEqual([0.7, 'primary']);
  });
});
