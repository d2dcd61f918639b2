/**
 * The scheduled job over the real wire: the worker's own store puts windows, the job rolls them up, `/v1/metrics` reads them.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAwsCaller } from '../../../lambdas/lib/aws-call.ts';
import { runRollup } from '../../../lambdas/rollup/handler.ts';
import { openRollupTable } from '../../../lambdas/rollup/table.ts';
import { startDynamoDb } from '../../../local/aws/dynamodb.ts';
import type { DynamoDb } from '../../../local/aws/dynamodb.ts';
import { addAudits, addRecord, emptyMetrics, encodeMetrics } from '../../../shared/measure/metrics.ts';
import { auditPartition, auditSnapshotSortKey } from '../../../shared/names.ts';
import { createStaticCredentials } from '../../../worker/aws/credentials.ts';
import { createDynamoClient } from '../../../worker/store/dynamodb-client.ts';
import type { DynamoClient } from '../../../worker/store/dynamodb-client.ts';
import { createDynamoMetricsStore } from '../../../worker/store/metrics-store.ts';
import { createRecords } from '../../bench/metrics-traffic.ts';
import { DYNAMODB_BACKEND } from '../../fixtures/local/dynamodb-backend.ts';
import { findKey, KEY, REGION } from '../../fixtures/local/keys.ts';
import { createHarness } from '../../worker/harness.ts';

const TABLE = 'hybrid';
const SHARDS = 3;
const NOW_MS = Date.UTC(2026, 10, 24, 12, 31, 10);
const NOW_MINUTE = NOW_MS / 60_000;

let database: DynamoDb;
let client: DynamoClient;
let lines: Record<string, unknown>[];

beforeEach(async () => {
  lines = [];
  database = await startDynamoDb({ region: REGION, tableName: TABLE, findKey, adminKey: KEY, ...DYNAMODB_BACKEND });
  await database.waitUntilReady();
  const credentials = createStaticCredentials(KEY);
  client = createDynamoClient({ table: TABLE, region: REGION, endpoint: database.url, credentials, clock: Date });
});
afterEach(() => database.close());

async function runJob(nowMs = NOW_MS, guaranteedRoutes: readonly string[] = []): Promise<void> {
  await runRollup({
    table: openRollupTable({
      aws: createAwsCaller(KEY),
      region: REGION,
      endpoint: database.url,
      tableName: TABLE,
      shards: SHARDS,
    }),
    guaranteedRoutes: async () => guaranteedRoutes,
    environment: 'test',
    now: () => nowMs,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
}

/** Forty isolates, ten requests each, five minutes ago. */
async function putTraffic(audits = 9): Promise<void> {
  const store = createDynamoMetricsStore({ client, shards: SHARDS });
  const minute = Math.floor(NOW_MINUTE) - 4;
  for (let isolate = 0; isolate < 40; isolate += 1) {
    const metrics = emptyMetrics();
    const recordAt = createRecords(isolate + 1);
    for (let n = 0; n < 10; n += 1) addRecord(metrics, recordAt(minute * 60_000));
    if (isolate === 0 && audits > 0)
      addAudits(metrics, {
        route: 'intent',
        endedAtMs: minute * 60_000,
        audits,
        disagreements: 5,
        failures: 0,
        costNanos: 100,
      });
    await store.put({ minute, isolateId: `isolate-${isolate}`, sequence: 1, body: encodeMetrics(metrics) });
  }
}

function putAuditState(calibrationId: string, calibratedAtMs: number, level: number): Promise<void> {
  const plan = {
    calibrationId,
    calibratedAtMs,
    bandEdges: [0.9, 0.95],
    minAgreement: 0.97,
    confidence: 0.9,
    falseAlarm: 0.05,
    settleMinutes: 3,
  };
  const state = {
    plan,
    level,
    tightenedAtMs: level > 0 ? calibratedAtMs : null,
    settledMinute: 1,
    betMinute: 1,
    wealth: [[1], [1]],
    peak: [1, 1],
    drift: { score: 0, counts: [0, 0] },
    settled: [0, 0, 0, 0],
    open: {},
    lastAuditMs: null,
  };
  return client.putItem({
    pk: { S: auditPartition('intent') },
    sk: { S: auditSnapshotSortKey(calibrationId) },
    body: { S: JSON.stringify(state) },
  });
}

describe('the scheduled rollup', () => {
  it('makes what the worker put readable over any range, once, however often it runs', async () => {
    await putTraffic();
    await runJob();
    await runJob(NOW_MS + 1_000);
    await runJob(NOW_MS + 300_000);
    const harness = createHarness({ metricsStore: createDynamoMetricsStore({ client, shards: SHARDS }) });
    // Soon after, and after hours without a rollup.
    for (const [hours, rolledUpThrough] of [
      [0.1, '2026-11-24T12:35:00.000Z'],
      [3, null],
    ] as const) {
      harness.nowMs = NOW_MS + hours * 3_600_000;
      for (const range of ['hours=24', 'days=2', 'from=2026-11-24T12:00:00Z&to=2026-11-24T13:00:00Z']) {
        const response = await harness.app.request(`/v1/metrics?${range}`);
        expect(await response.json()).toMatchObject({
          source: 'table',
          rolled_up_through: rolledUpThrough,
          request_count: 400,
          audit_count: 9,
        });
      }
    }
    const before = await harness.app.request('/v1/metrics?from=2026-11-24T11:00:00Z&to=2026-11-24T12:25:00Z');
    expect(await before.json()).toMatchObject({ request_count: 0, from: '2026-11-24T11:00:00.000Z' });
  });

  it.each([
    [['intent'], 1],
    [[], 0],
  ])(
    'a shortcut that was switched off stays at risk, though nothing of it is audited, while %j promise',
    async (routes, atRisk) => {
      await putTraffic(0);
      await putAuditState('new', 2, 1);
      await runJob(NOW_MS, routes);
      expect(lines[0]).toMatchObject({ RequestCount: 400, GuaranteesAtRisk: atRisk });
    },
  );

  it('writes the gateway’s figures as embedded metrics, every metric a number with a unit', async () => {
    await putTraffic();
    await putAuditState('old', 1, 0);
    await putAuditState('new', 2, 1);
    await runJob();
    const [line] = lines;
    expect(line).toMatchObject({
      message: 'rollup',
      level: 'info',
      Environment: 'test',
      windows: 40,
      RequestCount: 400,
      ErrorRate: 0,
      GuaranteesAtRisk: 1,
      lag_minutes: 1,
    });
    expect(line?.['EdgeUtilization']).toBeGreaterThan(0.75);
    expect(line?.['month_cost_usd']).toBeCloseTo(Number(line?.['CostPerInference']) * 400 + 100e-9, 9);
    if (line === undefined) throw new Error('no line');
    const { CloudWatchMetrics: directives, Timestamp: timestamp } = line['_aws'] as {
      Timestamp: number;
      CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[];
    };
    expect(timestamp).toBe(NOW_MS);
    expect(directives[0]).toMatchObject({ Namespace: 'HybridInference', Dimensions: [['Environment']] });
    expect(directives[0]?.Metrics.length).toBe(7);
    for (const { Name, Unit } of directives[0]?.Metrics ?? []) {
      expect(typeof line[Name]).toBe('number');
      expect(['Count', 'Milliseconds', 'None']).toContain(Unit);
    }
  });

  it('writes no metric where there is no traffic: every metric costs money', async () => {
    await runJob();
    expect(lines).toEqual([
      expect.objectContaining({ message: 'rollup', Environment: 'test', windows: 0, buckets: 12 }),
    ]);
    expect(lines[0]).not.toHaveProperty('_aws');
  });

  it('says that it failed, and fails, where the table is away', async () => {
    await database.setFault({ kind: 'status', status: 500 });
    await expect(runJob()).rejects.toThrow('AWS answered 500 InternalServerError');
    expect(lines).toEqual([expect.objectContaining({ level: 'error', message: 'rollup' })]);
    expect(JSON.stringify(lines)).not.toContain(KEY.secretAccessKey);
  });
});
