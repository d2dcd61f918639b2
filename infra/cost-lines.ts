/**
 * From a deployment's resources to what each kind costs a month at rest. Pure; printing is in cost-at-rest.ts.
 */
import * as z from 'zod';
import { PROBE_MINUTES } from './probe-schedule.ts';
import { ROLLUP_MINUTES } from './rollup-schedule.ts';
import { FREE_AT_REST, HOURS_A_MONTH, PRICES, SECONDS_A_MONTH } from './prices.ts';
import type { Price } from './prices.ts';
import type { Settings } from './settings.ts';

export const templateSchema = z.looseObject({
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});

export type TemplateResource = z.infer<typeof templateSchema>['Resources'][string];

export type Assumptions = {
  readonly settings: Settings;
  readonly tableGb: number;
  readonly bucketGb: number;
  readonly imageGb: number;
  /** Sources disagree on instance prices, so there is no default. */
  readonly instanceUsdPerHour: number | null;
};

/** `usd` is null where no price is known: reported, never counted as zero. */
export type CostLine = {
  readonly what: string;
  readonly quantity: number;
  readonly usd: number | null;
  readonly source: string;
};

export function costLines(resources: readonly TemplateResource[], assumed: Assumptions): CostLine[] {
  const count = (type: string): number => resources.filter((resource) => resource.Type === type).length;
  const alarmMetrics = resources
    .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
    .reduce((sum, alarm) => sum + metricsIn(alarm), 0);
  const lines = [
    priced('metrics in alarms', alarmMetrics, PRICES.alarmMetric),
    priced('dashboards', count('AWS::CloudWatch::Dashboard'), PRICES.dashboard),
    priced('GB in the table', count('AWS::DynamoDB::GlobalTable') * assumed.tableGb, PRICES.tableStorage),
    priced('GB of point-in-time recovery', count('AWS::DynamoDB::GlobalTable') * assumed.tableGb, PRICES.tableRecovery),
    priced('GB in the bucket', count('AWS::S3::Bucket') * assumed.bucketGb, PRICES.bucketStorage),
    priced('GB of images', count('AWS::ECR::Repository') * assumed.imageGb, PRICES.imageStorage),
    ...scheduledLooks(count('AWS::Events::Rule')),
    ...queuePolls(count('AWS::Lambda::EventSourceMapping')),
    ...idleRollups(count('AWS::Events::Rule'), assumed.settings),
    ...provisionedFunction(assumed.settings),
    ...endpoint(count('AWS::SageMaker::Endpoint'), assumed),
  ];
  const known = new Set([
    ...FREE_AT_REST,
    'AWS::CloudWatch::Alarm',
    'AWS::CloudWatch::Dashboard',
    'AWS::DynamoDB::GlobalTable',
    'AWS::S3::Bucket',
    'AWS::ECR::Repository',
    'AWS::SageMaker::Endpoint',
  ]);
  const unknown = new Set(resources.map(({ Type }) => Type).filter((type) => !known.has(type)));
  return [...lines, ...[...unknown].map((type) => unpriced(type, count(type)))];
}

/** An alarm on an expression is charged for every metric in it. */
function metricsIn(alarm: TemplateResource): number {
  const queries = alarm.Properties?.['Metrics'];
  if (!Array.isArray(queries)) return 1;
  return queries.filter((query: unknown) => typeof query === 'object' && query !== null && 'MetricStat' in query)
    .length;
}

/** The pointer, and the shipped configuration of 13 KB: a unit for each started 4 KB. */
const CONFIGURATION_READ_UNITS = 5;

/** The probe runs whether anybody calls or not. Its second is a generous guess; most looks take a tenth of it. */
function scheduledLooks(schedules: number): CostLine[] {
  if (schedules === 0) return [];
  const PROBED_TARGETS = 2;
  const LOAD_READ_EVERY_MINUTES = 10;
  const PROBE_GB = 0.125;
  const minutes = SECONDS_A_MONTH / 60;
  const looks = minutes / PROBE_MINUTES;
  return [
    priced('looks at the targets', looks, PRICES.functionRun),
    priced('GB-seconds of them', looks * PROBE_GB, PRICES.functionSecond),
    priced('reads of the configuration by them', looks * CONFIGURATION_READ_UNITS, PRICES.tableRead),
    priced('statuses put by them', looks * PROBED_TARGETS, PRICES.tableWrite),
    priced('metrics read by them', (minutes / LOAD_READ_EVERY_MINUTES) * PROBED_TARGETS, PRICES.metricRead),
  ];
}

/** Lambda asks an empty queue by five long polls of 20 s at once, and each is paid for. */
function queuePolls(sources: number): CostLine[] {
  const POLLS_AT_ONCE = 5;
  const POLL_SECONDS = 20;
  if (sources === 0) return [];
  const polls = (sources * POLLS_AT_ONCE * SECONDS_A_MONTH) / POLL_SECONDS;
  return [priced('polls of the empty queue', polls, PRICES.queueRequest)];
}

/** With nothing to sum up: every shard of twenty minutes is asked all the same, and each step puts one empty item a time. */
function idleRollups(schedules: number, { table }: Settings): CostLine[] {
  if (schedules === 0) return [];
  const RECOMPUTED_MINUTES = 20;
  const OTHER_QUERIES = 10;
  const PUTS = 7;
  // Half a second of 256 MB.
  const ROLLUP_GB_SECONDS = 0.125;
  const runs = SECONDS_A_MONTH / 60 / ROLLUP_MINUTES;
  return [
    priced('idle rollups', runs, PRICES.functionRun),
    priced('GB-seconds of them', runs * ROLLUP_GB_SECONDS, PRICES.functionSecond),
    priced('queries of them', runs * (RECOMPUTED_MINUTES * table.metricsShards + OTHER_QUERIES), PRICES.tableQuery),
    priced('reads of the configuration by them', runs * CONFIGURATION_READ_UNITS, PRICES.tableRead),
    priced('rollups put by them', runs * PUTS, PRICES.tableWrite),
  ];
}

function provisionedFunction({ function: { provisionedConcurrency, memoryMb } }: Settings): CostLine[] {
  if (provisionedConcurrency === undefined) return [];
  const gbSeconds = provisionedConcurrency * (memoryMb / 1_024) * SECONDS_A_MONTH;
  const { usd, source } = PRICES.provisionedFunction;
  return [{ what: 'function environments kept warm', quantity: provisionedConcurrency, usd: gbSeconds * usd, source }];
}

function endpoint(count: number, { settings, instanceUsdPerHour }: Assumptions): CostLine[] {
  const { hosting } = settings.endpoint;
  if (count === 0) return [];
  if (hosting.kind === 'instances') {
    const what = `${hosting.instanceType} instances`;
    if (instanceUsdPerHour === null) return [unpriced(`${what} (give --instance-usd-per-hour)`, hosting.minInstances)];
    const usd = hosting.minInstances * instanceUsdPerHour * HOURS_A_MONTH;
    return [{ what, quantity: hosting.minInstances, usd, source: '--instance-usd-per-hour' }];
  }
  if (hosting.provisionedConcurrency !== undefined)
    return [unpriced('endpoint environments kept warm', hosting.provisionedConcurrency)];
  return [
    { what: 'serverless endpoint', quantity: count, usd: 0, source: 'https://aws.amazon.com/sagemaker/pricing/' },
  ];
}

function priced(what: string, quantity: number, { usd, source }: Price): CostLine {
  return { what, quantity, usd: quantity * usd, source };
}

function unpriced(what: string, quantity: number): CostLine {
  return { what, quantity, usd: null, source: 'no price known' };
}
