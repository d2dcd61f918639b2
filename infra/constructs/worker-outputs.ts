/**
 * What an operator, and `wrangler secret put`, need to know of a deployment: one output each, names that tools may rely on.
 */
/* oxlint-disable no-new -- a construct joins its scope when made */
import { CfnOutput } from 'aws-cdk-lib';
import type { Stack } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { endpointNameFor } from './endpoint-name.ts';
import type { ModelFunction } from './model-function.ts';
import type { WorkerAccess } from './worker-access.ts';
import { workerSubject } from './worker-access.ts';
import type { Settings } from '../settings.ts';

export type WorkerOutputsProps = {
  readonly settings: Settings;
  readonly table: TableV2;
  readonly modelFunction: ModelFunction;
  readonly hasEndpoint: boolean;
  readonly access: WorkerAccess;
};

export function workerOutputs(
  stack: Stack,
  { settings, table, modelFunction, hasEndpoint, access }: WorkerOutputsProps,
): void {
  const output = (id: string, value: string, description: string): void => {
    new CfnOutput(stack, id, { value, description });
  };
  output('Region', stack.region, 'Region of everything below');
  output('ConfigEnvironment', settings.environment, 'Which configuration the worker reads');
  output('TableName', table.tableName, 'Control plane and metrics');
  output(
    'MetricsShards',
    String(settings.table.metricsShards),
    'Partitions that the rollup reads: the workers must write to as many',
  );
  output('FunctionUrl', modelFunction.url.url, 'Function URL of the model server');
  if (hasEndpoint) {
    output('EndpointName', endpointNameFor(settings), 'SageMaker endpoint');
  } else {
    output(
      'EndpointMissing',
      'Push an image to ImageRepositoryUri of the data stack, set endpoint.imageTag, deploy again',
      'No endpoint yet',
    );
  }
  output('WorkerPolicyArn', access.policy.managedPolicyArn, 'What the worker may do');
  if (access.role === null) {
    output(
      'WorkerRoleMissing',
      'Set identity.issuer for a role without keys, or attach WorkerPolicyArn to an IAM user',
      'No role yet',
    );
  } else {
    output('WorkerRoleArn', access.role.roleArn, 'Role for AssumeRoleWithWebIdentity');
    output('WorkerTokenIssuer', settings.identity.issuer ?? '', 'The iss that the worker must sign');
    output('WorkerTokenAudience', settings.identity.audience, 'The aud that the worker must sign');
    output('WorkerTokenSubject', workerSubject(settings), 'The sub that the worker must sign');
  }
}
