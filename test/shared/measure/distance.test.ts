import { describe, expect, it } from 'vitest';
import { estimatedRttMs, REGION_COORDINATES } from '../../../shared/measure/distance.ts';

function between(from: string, to: string): number {
  const [a, b] = [REGION_COORDINATES.get(from), REGION_COORDINATES.get(to)];
  if (a === undefined || b === undefined) throw new RangeError('an unknown region');
  return estimatedRttMs(a, b);
}

describe('the round trip by distance', () => {
  // Measured in June 2020 (cli/simulate/data/SOURCE.md): average of the pair, milliseconds.
  it.each([
    ['us-east-1', 'us-west-2', 73],
    ['us-east-1', 'eu-central-1', 86],
    ['us-east-1', 'ap-northeast-1', 152],
    ['eu-west-2', 'eu-central-1', 15],
    ['ap-southeast-1', 'ap-northeast-1', 77],
  ])('from %s to %s is near the %d ms that were measured', (from, to, measuredMs) => {
    expect(between(from, to)).toBeGreaterThan(0.6 * measuredMs);
    expect(between(from, to)).toBeLessThan(1.4 * measuredMs);
    expect(between(to, from)).toBeCloseTo(between(from, to));
  });

  it('is short where both are in one place, and finite at the other side of the world', () => {
    expect(between('eu-west-2', 'eu-west-2')).toBe(3);
    const far = estimatedRttMs({ latitude: 0, longitude: 0 }, { latitude: 0, longitude: 180 });
    expect(far).toBeCloseTo(3 + 0.015 * Math.PI * 6371);
  });
});
