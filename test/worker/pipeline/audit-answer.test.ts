import { describe, expect, it } from 'vitest';
import type { Config } from '../../../shared/schema/config.ts';
import type { AuditRecord } from '../../../shared/schema/record.ts';
import { createGuardKeeper } from '../../../worker/store/guard-keeper.ts';
import { answering, createHarness, failing, type Harness } from '../harness.ts';
import { guaranteed, record } from '../../shared/guard/guaranteed-route.ts';
import { testConfig } from '../test-config.ts';

const START_MS = Date.parse(record.calibrated_at);

function guarded(): Config {
  return testConfig((config) => ({
    ...config,
    routes: config.routes.map((route) =>
      route.model === 'mood'
        ? {
            ...route,
            guarantee: { ...guaranteed, audit: { ...guaranteed.audit, share: 1 } },
            cache: { ttl_ms: 0, stale_if_error_ms: 0 },
          }
        : route,
    ),
  }));
}

/** Audits run in what the worker keeps alive; here they are waited for. */
function open(): Harness & {
  audits: AuditRecord[];
  settled: () => Promise<void>;
  send: (body: unknown) => ReturnType<Harness['post']>;
} {
  const audits: AuditRecord[] = [];
  const state = { nowMs: START_MS };
  const guard = createGuardKeeper({
    store: undefined,
    clock: { now: () => state.nowMs },
    random: () => 0,
    isolateId: 'test',
  });
  const harness = createHarness({ config: guarded(), guard });
  harness.nowMs = START_MS;
  const { sink } = harness.services;
  const addAudits = sink.addAudits.bind(sink);
  sink.addAudits = (one) => {
    audits.push(one);
    addAudits(one);
  };
  return Object.assign(harness, {
    audits,
    send: (body: unknown) => harness.post(body),
    settled: () => new Promise<void>((resolve) => setTimeout(resolve, 5)),
  });
}

const ask = { model_name: 'mood', input_data: 'SECRET words' };

describe('auditing an accepted answer', () => {
  it('asks the reference in the background, and counts that both agree', async () => {
    const { send, calls, audits, settled } = open();
    const { status, body } = await send(ask);
    expect(status).toBe(200);
    expect(body.variant).toBe('micro');
    expect(body.decision.fallback_chain).toHaveLength(1);
    await settled();
    expect(calls.map(({ call }) => call.variant)).toEqual(['micro', 'large']);
    expect(audits).toMatchObject([{ route: 'mood', audits: 1, disagreements: 0, failures: 0 }]);
    expect(audits[0]?.costNanos).toBeGreaterThan(0);
  });

  it('counts a disagreement and leaves the answer as it was', async () => {
    const { send, scripts, audits, settled } = open();
    scripts['sagemaker'] = answering(0.99, 'no');
    const { body } = await send(ask);
    expect(body.predictions[0]?.label).toBe('yes');
    await settled();
    expect(audits).toMatchObject([{ audits: 1, disagreements: 1, failures: 0 }]);
  });

  it('does not wait for a reference that never answers', async () => {
    const { send, scripts, audits } = open();
    scripts['sagemaker'] = () => new Promise(() => undefined);
    expect((await send(ask)).status).toBe(200);
    expect(audits).toEqual([]);
  });

  it('counts a reference that fails as no audit at all', async () => {
    const { send, scripts, audits, settled } = open();
    scripts['sagemaker'] = failing('upstream_error');
    await send(ask);
    await settled();
    expect(audits).toMatchObject([{ audits: 0, disagreements: 0, failures: 1 }]);
  });

  it('charges no request for it and keeps it out of the request’s record and log', async () => {
    const { send, records, lines, settled } = open();
    const { body } = await send(ask);
    await settled();
    expect(records).toHaveLength(1);
    expect(records[0]?.attempts).toHaveLength(1);
    expect(body.cost_usd).toBeLessThan(1e-6);
    expect(lines.join('\n')).not.toContain('SECRET');
  });

  it('audits the accepted inputs of a batch, not those that went on', async () => {
    const { send, scripts, calls, audits, settled } = open();
    scripts['edge'] = (call) => ({
      kind: 'answered',
      computeMs: 0,
      predictions: (call.input.kind === 'text' ? call.input.texts : []).map((text) => ({
        kind: 'class' as const,
        label: 'yes',
        confidence: text.startsWith('sure') ? 0.95 : 0.2,
        top: [],
        truncated: false,
      })),
    });
    await send({ ...ask, input_data: ['sure one', 'hard one', 'sure two'] });
    await settled();
    const last = calls.at(-1)?.call.input;
    expect(last?.kind === 'text' ? last.texts : []).toEqual(['sure one', 'sure two']);
    expect(audits).toMatchObject([{ audits: 2 }]);
  });

  it.each([
    ['that must stay at the edge', { placement: 'edge' }],
    ['of a pinned variant', { variant: 'micro' }],
  ])('audits no answer %s', async (_what, more) => {
    const { send, calls, settled } = open();
    await send({ ...ask, ...more });
    await settled();
    expect(calls).toHaveLength(1);
  });

  it('accepts by the guarantee’s threshold, not by the step’s', async () => {
    const { send, scripts } = open();
    scripts['edge'] = answering(0.71);
    expect((await send(ask)).body.variant).toBe('micro');
    scripts['edge'] = answering(0.69);
    const { body } = await send(ask);
    expect(body.variant).toBe('large');
    // base has no calibration: it is off, and the reference is asked at once.
    expect(body.decision.fallback_chain.map(({ variant }) => variant)).toEqual(['micro', 'large']);
  });
});

describe('GET /v1/routes/:name/guarantee', () => {
  const get = async (harness: Harness, name: string): Promise<{ status: number; body: unknown }> => {
    const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };
    const response = await harness.app.request(`/v1/routes/${name}/guarantee`, {}, undefined, context);
    return { status: response.status, body: await response.json() };
  };

  it('shows promise, evidence and state of every shortcut', async () => {
    const harness = open();
    await harness.send(ask);
    await harness.settled();
    const { status, body } = await get(harness, 'mood');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      route: 'mood',
      reference: 'large',
      guarantee: { min_agreement: 0.97, confidence: 0.9 },
      shortcuts: [
        {
          shortcut: 'micro',
          state: 'active',
          threshold: 0.7,
          calibration: { id: 'c1', labels: 1_500, coverage: 0.867, agreement_lower_bound: 0.978 },
          audit: {
            audits: 1,
            disagreed: 0,
            level: 0,
            alarm_at: 20,
            share_now: 1,
            last_audit: '2023-11-14T22:14:00.000Z',
          },
        },
        { shortcut: 'base', state: 'uncalibrated', threshold: null, calibration: null, audit: null },
      ],
    });
  });

  it('says that a route states none, and that there is no such route', async () => {
    const harness = open();
    expect(await get(harness, 'dots')).toMatchObject({ status: 200, body: { guarantee: null, shortcuts: [] } });
    expect(await get(harness, 'nowhere')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
  });
});
