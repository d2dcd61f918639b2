/**
 * Cost at rest: what is counted, what is never silently free, and that the default deployment stays under its goal.
 */
import { describe, expect, test } from 'vitest';
import { costLines, templateSchema } from '../../infra/cost-lines.ts';
import type { Assumptions, CostLine, TemplateResource } from '../../infra/cost-lines.ts';
import { parseSettings } from '../../infra/settings.ts';
import { synthesise } from './synth.ts';

/** As the command assumes where it is told nothing. */
function assumed(settings: object, instanceUsdPerHour: number | null = null): Assumptions {
  return { settings: parseSettings(settings), tableGb: 0.1, bucketGb: 0.1, imageGb: 0.5, instanceUsdPerHour };
}

function resourcesOf(settings: object): TemplateResource[] {
  return Object.values(synthesise(settings)).flatMap((template) =>
    Object.values(templateSchema.parse(template.toJSON()).Resources),
  );
}

function totalUsd(lines: readonly CostLine[]): number {
  return lines.reduce((sum, line) => sum + (line.usd ?? 0), 0);
}

describe('cost at rest', () => {
  test.each([
    ['by default', 5, {}],
    ['with a serverless endpoint and its three metrics in alarms', 5.3, { endpoint: { imageTag: 'v1' } }],
  ])('%s is at most %f dollars a month', (_what, goalUsd, settings) => {
    const lines = costLines(resourcesOf(settings), assumed(settings));
    expect(lines.filter(({ usd }) => usd === null)).toEqual([]);
    expect(totalUsd(lines)).toBeLessThanOrEqual(goalUsd);
  });

  test('counts every metric in an alarm, not every alarm', () => {
    const alarm = {
      Type: 'AWS::CloudWatch::Alarm',
      Properties: { Metrics: [{ Expression: 'a / b' }, { MetricStat: {} }, { MetricStat: {} }] },
    };
    const [line] = costLines([alarm, { Type: 'AWS::CloudWatch::Alarm' }], assumed({}));
    expect(line).toMatchObject({ what: 'metrics in alarms', quantity: 3 });
  });

  test('reports a kind of resource that it does not know', () => {
    const lines = costLines([{ Type: 'AWS::EC2::NatGateway' }], assumed({}));
    expect(lines).toContainEqual({ what: 'AWS::EC2::NatGateway', quantity: 1, usd: null, source: 'no price known' });
  });

  test('counts what is kept warm', () => {
    const lines = costLines([], assumed({ function: { memoryMb: 1_024, provisionedConcurrency: 2 } }));
    expect(lines.at(-1)?.usd).toBeCloseTo(2 * 730 * 3_600 * 0.0000033334, 6);
  });

  test('prices instances only by a price that was given', () => {
    const settings = {
      endpoint: { imageTag: 'v1', hosting: { kind: 'instances', instanceType: 'ml.c7i.large', minInstances: 2 } },
    };
    const endpoint = [{ Type: 'AWS::SageMaker::Endpoint' }];
    expect(costLines(endpoint, assumed(settings)).at(-1)?.usd).toBeNull();
    expect(costLines(endpoint, assumed(settings, 0.1)).at(-1)?.usd).toBeCloseTo(146);
  });
});
