/** The exporter against a collector that refuses what is not OTLP: form, bounds, and that nobody waits or suffers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RequestRecord } from '../../../shared/schema/record.ts';
import { traceFrom } from '../../../shared/trace/trace.ts';
import { createOtlpExporter, parseOtlpHeaders, type OtlpExporterOptions } from '../../../worker/otlp/exporter.ts';
import { withExporter } from '../../../worker/otlp/with-exporter.ts';
import { createRecordSink } from '../../../worker/store/record-sink.ts';
import { createRecords } from '../../bench/metrics-traffic.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { startOtlpCollector, type OtlpCollector } from '../../fakes/otlp-collector.ts';

let collector: OtlpCollector;
beforeEach(async () => {
  collector = await startOtlpCollector();
});
afterEach(() => collector.close());

function open(change: Partial<OtlpExporterOptions> = {}) {
  const clock = createFakeClock();
  const failures: string[] = [];
  const exporter = createOtlpExporter({
    endpoint: `${collector.url}/`,
    headers: parseOtlpHeaders('X-Key=a=b,x-other=c'),
    service: { name: 'hybrid-inference', environment: 'test', instance: 'isolate-1' },
    clock,
    sleep: () => Promise.resolve(),
    onFailure: (detail) => failures.push(detail),
    ...change,
  });
  const recordAt = createRecords(7);
  const record = (ratio = 1, header: string | null = null): RequestRecord => ({
    ...recordAt(clock.now()),
    trace: traceFrom(header, crypto.randomUUID(), ratio),
  });
  return { clock, exporter, failures, record };
}

describe('the exporter', () => {
  it('sends spans and metrics that a collector takes, with its headers', async () => {
    const { exporter, record, failures } = open();
    const records = Array.from({ length: 200 }, () => record());
    for (const one of records) exporter.add(one);
    await exporter.exportWhenDue();
    expect([collector.problems, failures]).toEqual([[], []]);
    expect(collector.spans.length).toBe(200 + records.reduce((sum, { attempts }) => sum + attempts.length, 0));
    expect(collector.raw[0]).toContain('"x-key":"a=b","x-other":"c"');
    const requests = collector.metrics.find(({ name }) => name === 'hybrid.requests');
    if (requests === undefined || !('sum' in requests)) throw new Error('no requests');
    const counted = requests.sum.dataPoints.map((point) => ('asInt' in point ? Number(point.asInt) : 0));
    expect(counted.reduce((sum, count) => sum + count)).toBe(200);
    expect(exporter.stats()).toEqual({ sent: 200, dropped: 0 });
  });

  it('puts attempts under their request, and the request under whoever asked', async () => {
    const { exporter, record } = open();
    const asked = record(0, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    const attempt = { target: 'lambda', kind: 'lambda', region: 'r', variant: 'base', why: 'fallback' } as const;
    exporter.add({
      ...asked,
      attempts: [
        {
          ...attempt,
          outcome: 'failed',
          reason: 'timeout',
          detail: '',
          items: 1,
          acceptedItems: 0,
          latencyMs: 12,
          computeMs: null,
          costNanos: 5,
          number: 3,
          startedAtMs: asked.startedAtMs + 4,
        },
      ],
    });
    await exporter.flush();
    const [own, child] = collector.spans;
    expect(own).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentSpanId: 'b7ad6b7169203331',
      kind: 2,
    });
    expect(child).toMatchObject({ parentSpanId: own?.spanId, name: 'attempt lambda', kind: 3, status: { code: 2 } });
    expect(child?.spanId).toBe(`${own?.spanId.slice(0, 14)}03`);
    expect(BigInt(child?.startTimeUnixNano ?? 0) - BigInt(own?.startTimeUnixNano ?? 0)).toBe(4_000_000n);
  });

  it('sends no trace that was not sampled, but counts it', async () => {
    const { exporter, record } = open();
    for (let n = 0; n < 10; n += 1) exporter.add(record(0));
    await exporter.flush();
    expect(collector.spans).toEqual([]);
    expect(collector.metrics.length).toBe(8);
  });

  it('holds a bounded number of traces, and counts what it lets go', async () => {
    const { exporter, record } = open();
    for (let n = 0; n < 300; n += 1) exporter.add(record());
    expect(exporter.stats()).toEqual({ sent: 0, dropped: 44 });
    await exporter.flush();
    expect(exporter.stats()).toEqual({ sent: 256, dropped: 44 });
  });

  it.each([{ kind: 'refuse' }, { kind: 'cut_before_headers' }, { kind: 'status', status: 503 }] as const)(
    'gives up what the collector does not take, says so, and goes on (%j)',
    async (fault) => {
      const { exporter, record, failures } = open();
      await collector.setFault(fault);
      exporter.add(record());
      await exporter.flush();
      expect(exporter.stats()).toEqual({ sent: 0, dropped: 1 });
      expect(failures).toHaveLength(2);
      await collector.setFault(null);
      exporter.add(record());
      await exporter.flush();
      expect(exporter.stats()).toEqual({ sent: 1, dropped: 1 });
    },
  );

  it('has one request see to it, and another where that one died', async () => {
    const sleeping: (() => void)[] = [];
    const { exporter, record, clock } = open({ sleep: () => new Promise((wake) => sleeping.push(wake)) });
    expect(exporter.exportWhenDue()).toBeUndefined();
    exporter.add(record());
    const first = exporter.exportWhenDue();
    expect(exporter.exportWhenDue()).toBeUndefined();
    clock.advance(16_000);
    const second = exporter.exportWhenDue();
    expect(second).toBeDefined();
    for (const wake of sleeping) wake();
    await Promise.all([first, second]);
    expect(exporter.stats().sent).toBe(1);
  });

  it('rides on the sink: every record to both, both kept alive', async () => {
    const { exporter, record, clock } = open();
    const sink = withExporter(createRecordSink({ store: undefined, clock, random: () => 0, isolateId: 'i' }), exporter);
    sink.add(record());
    await sink.flushWhenOver();
    expect(exporter.stats().sent).toBe(1);
    expect(sink.pending(new Set()).routes.size).toBe(1);
    expect(sink.flushWhenOver()).toBeUndefined();
  });
});
