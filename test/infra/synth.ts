/**
 * A deployment synthesised for a test, with the feature flags of cdk.json and cdk-nag in force as in a real synth, and a
 * stand-in for the model server's package.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { readCdkContext } from '../../infra/context.ts';
import { addDeployment } from '../../infra/deployment.ts';
import type { Deployment } from '../../infra/deployment.ts';
import { parseSettings } from '../../infra/settings.ts';
import { scratchDir } from './scratch.ts';

export const ROOT = join(import.meta.dirname, '..', '..');

export type Templates = {
  readonly data: Template;
  readonly compute: Template;
  readonly operations: Template;
  readonly observability: Template;
};

export function newDeployment(settings: object = {}): { readonly app: App; readonly deployment: Deployment } {
  const scratch = scratchDir();
  const packageDir = join(scratch, 'package');
  mkdirSync(packageDir);
  for (const file of ['handler.mjs', 'probe.mjs', 'batch.mjs'])
    writeFileSync(join(packageDir, file), 'export const handler = () => {};');
  const app = new App({ context: readCdkContext(ROOT), outdir: join(scratch, 'out') });
  return {
    app,
    deployment: addDeployment(app, parseSettings(settings), { modelServer: packageDir, functions: packageDir }),
  };
}

/** Without CloudFormation's rules, whose engine takes seconds to start in each file; checks.test.ts has them on. */
export function synthesise(settings: object = {}): Templates {
  const before = process.env['CDK_VALIDATION'];
  process.env['CDK_VALIDATION'] = 'false';
  try {
    const { data, compute, operations, observability } = newDeployment(settings).deployment;
    return {
      data: Template.fromStack(data),
      compute: Template.fromStack(compute),
      operations: Template.fromStack(operations),
      observability: Template.fromStack(observability),
    };
  } finally {
    if (before === undefined) delete process.env['CDK_VALIDATION'];
    else process.env['CDK_VALIDATION'] = before;
  }
}

export type Statement = {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
};

/** Every statement of every policy attached to an identity in the template. */
export function identityStatements(template: Template): Statement[] {
  return ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']
    .flatMap((type) => Object.values(template.findResources(type)))
    .flatMap((resource): Statement[] => resource['Properties'].PolicyDocument.Statement);
}
