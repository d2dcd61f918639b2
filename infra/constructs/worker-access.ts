/**
 * What the edge worker may do in this account, as one managed policy; and, once an issuer is set, the role that its
 * signed token is exchanged for. Without an issuer the policy waits to be attached to a user with a key pair.
 */
import { Duration } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { ManagedPolicy, OidcProviderNative, PolicyStatement, Role, WebIdentityPrincipal } from 'aws-cdk-lib/aws-iam';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { configPartition } from '../../shared/names.ts';
import { deploymentName } from '../settings.ts';
import type { Settings } from '../settings.ts';
import { ROLLUP_PARTITIONS } from './metrics-rollup.ts';
import { onlyPartitions } from './table-access.ts';

/** Partitions the worker writes: raw metric flushes and what audits said. Never calibration records. */
export const WRITABLE_PARTITIONS = ['M1#*', 'AUDIT#*'];

/** Partitions the worker reads: its own environment's configuration, resource status, API keys, model registry, guarantees, metrics. */
export function readablePartitions(environment: string): string[] {
  return [
    configPartition(environment),
    'RES#*',
    'KEY#*',
    'MODEL#*',
    'GUARD#*',
    'AUDIT#*',
    'M1#*',
    ...ROLLUP_PARTITIONS,
  ];
}

export type WorkerAccessProps = {
  readonly settings: Settings;
  readonly table: TableV2;
  readonly alias: Alias;
  /** Null where there is no endpoint. */
  readonly endpointArn: string | null;
};

export class WorkerAccess extends Construct {
  readonly policy: ManagedPolicy;
  /** Null until the settings name an issuer. */
  readonly role: Role | null;

  constructor(scope: Construct, id: string, props: WorkerAccessProps) {
    super(scope, id);
    this.policy = new ManagedPolicy(this, 'Policy', {
      description: 'Edge worker: read configuration, put metrics, invoke the named models; nothing else',
      statements: workerStatements(props),
    });
    this.role = workerRole(this, props.settings);
    if (this.role !== null) this.policy.attachToRole(this.role);
  }
}

/** The `sub` that the worker must sign. */
export function workerSubject(settings: Settings): string {
  return settings.identity.subject ?? `${deploymentName(settings)}-worker`;
}

function workerStatements({ settings, table, alias, endpointArn }: WorkerAccessProps): PolicyStatement[] {
  const statements = [
    new PolicyStatement({
      sid: 'ReadControlPlane',
      actions: ['dynamodb:GetItem', 'dynamodb:Query'],
      resources: [table.tableArn],
      conditions: onlyPartitions(readablePartitions(settings.environment)),
    }),
    new PolicyStatement({
      sid: 'PutMetrics',
      actions: ['dynamodb:PutItem'],
      resources: [table.tableArn],
      conditions: onlyPartitions(WRITABLE_PARTITIONS),
    }),
    // A URL made since October 2025 asks for both; the second holds only for calls that come through the URL.
    new PolicyStatement({
      sid: 'CallFunctionUrl',
      actions: ['lambda:InvokeFunctionUrl'],
      resources: [alias.functionArn],
      conditions: { StringEquals: { 'lambda:FunctionUrlAuthType': 'AWS_IAM' } },
    }),
    new PolicyStatement({
      sid: 'InvokeThroughUrl',
      actions: ['lambda:InvokeFunction'],
      resources: [alias.functionArn],
      conditions: { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } },
    }),
  ];
  if (endpointArn !== null) {
    statements.push(
      new PolicyStatement({
        sid: 'InvokeEndpoint',
        actions: ['sagemaker:InvokeEndpoint', 'sagemaker:InvokeEndpointWithResponseStream'],
        resources: [endpointArn],
      }),
    );
  }
  return statements;
}

function workerRole(scope: Construct, settings: Settings): Role | null {
  const { issuer, audience } = settings.identity;
  if (issuer === undefined) return null;
  const provider = new OidcProviderNative(scope, 'Issuer', { url: issuer, clientIds: [audience] });
  // IAM's condition keys carry the issuer without its scheme.
  const claims = issuer.slice('https://'.length);
  return new Role(scope, 'Role', {
    description: 'Edge worker, for a token that it signed itself',
    maxSessionDuration: Duration.hours(1),
    assumedBy: new WebIdentityPrincipal(provider.oidcProviderArn, {
      StringEquals: { [`${claims}:aud`]: audience, [`${claims}:sub`]: workerSubject(settings) },
    }),
  });
}
