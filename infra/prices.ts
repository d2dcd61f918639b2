/**
 * What standing resources cost while nobody calls, in US dollars: list prices of us-east-1, with the page each is from.
 * Free tiers are left out, so the sum is an upper bound for a small account. Other regions are up to a third dearer.
 */
export type Price = { readonly usd: number; readonly unit: string; readonly source: string };

export const PRICES_AS_OF = '2026-11';

export const PRICES = {
  alarmMetric: { usd: 0.1, unit: 'metric in an alarm, month', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
  dashboard: { usd: 3, unit: 'dashboard, month', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
  tableStorage: { usd: 0.25, unit: 'GB, month', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  tableRecovery: { usd: 0.2, unit: 'GB, month', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  bucketStorage: { usd: 0.023, unit: 'GB, month', source: 'https://aws.amazon.com/s3/pricing/' },
  imageStorage: { usd: 0.1, unit: 'GB, month', source: 'https://aws.amazon.com/ecr/pricing/' },
  provisionedFunction: {
    usd: 0.0000033334,
    unit: 'GB-second, arm64',
    source: 'https://aws.amazon.com/lambda/pricing/',
  },
  functionRun: {
    usd: 0.0000002,
    unit: 'run of a function',
    source: 'https://aws.amazon.com/lambda/pricing/',
  },
  functionSecond: {
    usd: 0.0000133334,
    unit: 'GB-second, arm64',
    source: 'https://aws.amazon.com/lambda/pricing/',
  },
  /** Eventually consistent and of less than 4 KB: half a read unit. */
  tableQuery: { usd: 0.0000000625, unit: 'query', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  tableRead: {
    usd: 0.000000125,
    unit: 'read, consistent',
    source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
  },
  tableWrite: { usd: 0.000000625, unit: 'write', source: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  queueRequest: { usd: 0.0000004, unit: 'request to a queue', source: 'https://aws.amazon.com/sqs/pricing/' },
  metricRead: { usd: 0.00001, unit: 'metric read', source: 'https://aws.amazon.com/cloudwatch/pricing/' },
} as const satisfies Record<string, Price>;

/** Types that cost nothing while nobody calls. A type in neither list is reported as unpriced. */
export const FREE_AT_REST: ReadonlySet<string> = new Set([
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::Budgets::Budget',
  'AWS::Events::Rule',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::OIDCProvider',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::Alias',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Lambda::Url',
  'AWS::Lambda::Version',
  'AWS::Logs::LogGroup',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Subscription',
  'AWS::SQS::Queue',
  'AWS::SQS::QueuePolicy',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
  'Custom::S3AutoDeleteObjects',
  'AWS::SageMaker::EndpointConfig',
  'AWS::SageMaker::Model',
]);

export const HOURS_A_MONTH = 730;
export const SECONDS_A_MONTH = HOURS_A_MONTH * 3_600;
