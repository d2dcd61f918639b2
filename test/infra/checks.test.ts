/**
 * The checks every synth must pass are really on, and every acknowledged finding has a place and a reason.
 */
/* oxlint-disable no-new -- a construct joins its scope when made */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnResource, Validations } from 'aws-cdk-lib';
import type { App } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { newDeployment } from './synth.ts';

const everything = {
  endpoint: {
    imageTag: 'v1',
    modelDataKey: 'intent/1.tar.gz',
    hosting: { kind: 'instances', instanceType: 'ml.c7i.large', minInstances: 2, canary: {} },
  },
  identity: { issuer: 'https://edge.example.com' },
  alarms: { email: 'ops@example.com' },
};

const reportSchema = z.looseObject({
  pluginReports: z.array(
    z.looseObject({ pluginName: z.string(), violations: z.array(z.looseObject({ ruleName: z.string() })) }),
  ),
});

/** What the report of a failing synth names. */
function failingRules(app: App): string[] {
  expect(() => app.synth()).toThrow('validation-report.json');
  const report = reportSchema.parse(JSON.parse(readFileSync(join(app.outdir, 'validation-report.json'), 'utf8')));
  return report.pluginReports.flatMap(({ pluginName, violations }) =>
    violations.map(({ ruleName }) => `${pluginName}: ${ruleName}`),
  );
}

describe('a synth', () => {
  test.each([
    ['by default', {}],
    ['with everything on', everything],
  ])('%s passes cdk-nag and the CloudFormation rules', (_what, settings) => {
    expect(() => newDeployment(settings).app.synth()).not.toThrow();
  });

  test('fails on a topic that takes word in the clear', () => {
    const { app, deployment } = newDeployment();
    new Topic(deployment.data, 'Clear');
    expect(failingRules(app)).toEqual(['AwsSolutions: AwsSolutions-SNS3']);
  });

  test('fails on a property that CloudFormation does not know', () => {
    const { app, deployment } = newDeployment();
    new CfnResource(deployment.data, 'Odd', { type: 'AWS::SNS::Topic', properties: { Nmae: 'odd' } });
    expect(failingRules(app)).toContain('CloudFormation Validate: F3002');
  });
});

describe('acknowledged findings', () => {
  const { app } = newDeployment(everything);
  const acknowledged = app.node
    .findAll()
    .flatMap(({ node }) =>
      node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .map(({ data }) => ({ path: node.path, rules: JSON.stringify(data) })),
    );

  test('are as many as listed here, each on the construct it is about', () => {
    expect(acknowledged.map(({ path }) => path).sort()).toEqual([
      'Compute/ModelEndpoint/Role',
      'Data/Models',
      'Operations/Batches/Lines',
      'Operations/Batches/Runner/Role',
      'Operations/Batches/WorkerPolicy',
      'Operations/ResourceProbe/Probe/Role',
    ]);
    expect(acknowledged.find(({ path }) => path === 'Data/Models')?.rules).toContain('AwsSolutions-S1');
    expect(acknowledged.find(({ path }) => path === 'Compute/ModelEndpoint/Role')?.rules).toContain(
      'AwsSolutions-IAM5[Resource::*]',
    );
  });
});
