/**
 * One deployment: its stacks, split by lifetime, and the checks every synth must pass. Pure of settings and
 * files: app.ts reads those, tests pass their own.
 */
import { Tags, Validations } from 'aws-cdk-lib';
import type { App, StackProps } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { deploymentName } from './settings.ts';
import type { Settings } from './settings.ts';
import { ComputeStack } from './stacks/compute.ts';
import { DataStack } from './stacks/data.ts';
import { OperationsStack } from './stacks/operations.ts';
import { ObservabilityStack } from './stacks/observability.ts';

/** Directories of what was built beforehand. */
export type Packages = {
  readonly modelServer: string;
  /** The small functions, `<name>.mjs` each. */
  readonly functions: string;
};

export type Deployment = {
  readonly data: DataStack;
  readonly compute: ComputeStack;
  readonly operations: OperationsStack;
  readonly observability: ObservabilityStack;
};

export function addDeployment(app: App, settings: Settings, packages: Packages): Deployment {
  const name = deploymentName(settings);
  const shared = { settings, ...environmentOf(settings) };
  const data = new DataStack(app, 'Data', {
    ...shared,
    stackName: `${name}-data`,
    description: 'Hybrid inference: table, models, images',
  });
  const compute = new ComputeStack(app, 'Compute', {
    ...shared,
    stackName: `${name}-compute`,
    description: 'Hybrid inference: model function, endpoint, worker access',
    data,
    packageDir: packages.modelServer,
  });
  const operations = new OperationsStack(app, 'Operations', {
    ...shared,
    stackName: `${name}-operations`,
    description: 'Hybrid inference: resource probe, rollup of metrics, batches',
    data,
    compute,
    packageDir: packages.functions,
  });
  const observability = new ObservabilityStack(app, 'Observability', {
    ...shared,
    stackName: `${name}-observability`,
    description: 'Hybrid inference: alarms, budget, dashboard',
    data,
    compute,
    operations,
  });
  Tags.of(app).add('project', settings.name);
  Tags.of(app).add('environment', settings.environment);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { data, compute, operations, observability };
}

function environmentOf({ account, region }: Settings): Pick<StackProps, 'env'> {
  if (account === undefined && region === undefined) return {};
  return { env: { ...(account === undefined ? {} : { account }), ...(region === undefined ? {} : { region }) } };
}
