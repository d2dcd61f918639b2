/**
 * The model server as a Lambda function behind an IAM Function URL that streams. Owns the function, its role, its log
 * group, its alias and its URL; who may call the URL is in worker-access.ts.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  Function as LambdaFunction,
  FunctionUrlAuthType,
  InvokeMode,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import type { Alias, FunctionUrl } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { MODEL_SERVER_HANDLER } from '../model-server-package.ts';
import type { FunctionSettings } from '../settings.ts';
import { functionEnvironment } from './model-server-environment.ts';

export type ModelFunctionProps = {
  readonly settings: FunctionSettings;
  /** Directory of the built package. */
  readonly packageDir: string;
};

export class ModelFunction extends Construct {
  readonly alias: Alias;
  readonly url: FunctionUrl;

  constructor(scope: Construct, id: string, { settings, packageDir }: ModelFunctionProps) {
    super(scope, id);
    // Made here, not by Lambda on first use: then it has a retention period and the role need not create groups.
    const logGroup = new LogGroup(this, 'Logs', {
      retention: settings.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: 'What the model server may do: write its own log',
    });
    logGroup.grantWrite(role);

    const lambda = new LambdaFunction(this, 'Function', {
      description: 'Model server: answers what the edge escalates',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(packageDir),
      handler: MODEL_SERVER_HANDLER,
      memorySize: settings.memoryMb,
      timeout: Duration.seconds(settings.timeoutSeconds),
      environment: functionEnvironment(settings.variants, settings.memoryMb),
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      systemLogLevelV2: SystemLogLevel.WARN,
      ...(settings.reservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: settings.reservedConcurrency }),
    });
    const { provisionedConcurrency } = settings;
    this.alias = lambda.addAlias(
      'live',
      provisionedConcurrency === undefined ? {} : { provisionedConcurrentExecutions: provisionedConcurrency },
    );
    // On the alias, so that the URL moves to a new version only when that version is complete.
    this.url = this.alias.addFunctionUrl({
      authType: FunctionUrlAuthType.AWS_IAM,
      invokeMode: InvokeMode.RESPONSE_STREAM,
    });
  }
}
