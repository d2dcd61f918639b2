/**
 * A function that runs no model: one bundled file, its own log group with a retention period, a role that may write there and
 * nothing else until something is granted. Owns what all of them share.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { FunctionSettings } from '../settings.ts';

export type SmallFunctionProps = {
  /** File in the package, without `.mjs`. */
  readonly name: string;
  readonly description: string;
  readonly packageDir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly logRetentionDays: FunctionSettings['logRetentionDays'];
  /** Lines reach CloudWatch as they are written, which embedded metrics need. */
  readonly plainLog?: boolean;
};

export class SmallFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: SmallFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: props.description,
    });
    logGroup.grantWrite(this.role);
    this.lambda = new LambdaFunction(this, 'Function', {
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(props.packageDir),
      handler: `${props.name}.handler`,
      memorySize: props.memoryMb,
      timeout: Duration.seconds(props.timeoutSeconds),
      environment: { ...props.environment },
      role: this.role,
      logGroup,
      ...(props.plainLog === true
        ? { loggingFormat: LoggingFormat.TEXT }
        : {
            loggingFormat: LoggingFormat.JSON,
            applicationLogLevelV2: ApplicationLogLevel.INFO,
            systemLogLevelV2: SystemLogLevel.WARN,
          }),
    });
  }

  /** Runs it every so many minutes; a run that fails is not repeated, the next one is soon enough. */
  every(minutes: number): void {
    // oxlint-disable-next-line no-new -- a construct joins its scope when made
    new Rule(this, 'Schedule', {
      schedule: Schedule.rate(Duration.minutes(minutes)),
      targets: [new FunctionTarget(this.lambda, { retryAttempts: 0, maxEventAge: Duration.minutes(minutes) })],
    });
  }
}
