import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../../shared/config/check-config.ts';
import {
  addModel,
  removeModel,
  revokeKey,
  addKey,
  setRoute,
  setTargetEnabled,
  type Edited,
} from '../../../shared/control/edit-config.ts';
import type { Config } from '../../../shared/schema/config.ts';
import { testConfig } from '../../worker/test-config.ts';

function configOf(edited: Edited): Config {
  if (!edited.ok) throw new Error(`missing: ${edited.missing}`);
  return edited.config;
}

const base = testConfig();
const KEY = { id: 'a', sha256: 'a'.repeat(64), tenant: 't', scopes: ['infer' as const], enabled: true };

describe('an edit', () => {
  it('drains a target and enables it again', () => {
    const drained = configOf(setTargetEnabled(base, 'lambda', false));
    expect(drained.targets.map(({ id, enabled }) => [id, enabled])).toEqual([
      ['edge', true],
      ['lambda', false],
      ['sagemaker', true],
    ]);
    expect(configOf(setTargetEnabled(drained, 'lambda', true))).toEqual(base);
  });

  it('says what there is where it names nothing', () => {
    expect(setTargetEnabled(base, 'lamda', false)).toEqual({
      ok: false,
      missing: 'target lamda',
      known: ['edge', 'lambda', 'sagemaker'],
    });
    expect(setRoute(base, 'nobody', {})).toMatchObject({ ok: false, known: ['mood', 'dots'] });
    expect(removeModel(base, 'nobody')).toMatchObject({ ok: false, missing: 'model nobody' });
    expect(revokeKey(base, 'nobody')).toMatchObject({ ok: false, known: [] });
  });

  it('changes of a route what is given and nothing else', () => {
    const edited = configOf(setRoute(base, 'mood', { default_deadline_ms: 7, policy: undefined }));
    expect(edited.routes[0]).toEqual({ ...base.routes[0], default_deadline_ms: 7 });
    expect(edited.routes[1]).toBe(base.routes[1]);
  });

  it('removes a model with its route and what served nothing else, and the rest is still whole', () => {
    const edited = configOf(removeModel(base, 'mood'));
    expect(checkConfig(edited)).toEqual([]);
    expect(JSON.stringify(edited)).not.toContain('mood');
    expect(configOf(removeModel(edited, 'dots')).targets).toEqual([]);
  });

  it('puts a model in place of the one with its name, and serves only what is given', () => {
    const [model] = base.models;
    if (model === undefined) throw new Error('no model');
    const serves = [{ model: 'mood', variant: 'large', latency_prior: { p50_ms: 1, p95_ms: 2 }, compute_prior_ms: 1 }];
    const edited = configOf(addModel(base, { ...model, version: '2' }, [{ target: 'lambda', serves }]));
    expect(edited.models.filter(({ name }) => name === 'mood')).toEqual([{ ...model, version: '2' }]);
    expect(edited.targets.flatMap((target) => target.serves.filter((served) => served.model === 'mood'))).toEqual(
      serves,
    );
    expect(edited.routes).toEqual(base.routes);
    expect(addModel(base, model, [{ target: 'moon', serves }])).toMatchObject({ ok: false, missing: 'target moon' });
  });

  it('makes a route for a new model', () => {
    const [model] = base.models;
    if (model === undefined) throw new Error('no model');
    const serves = [{ model: 'new', variant: 'large', latency_prior: { p50_ms: 1, p95_ms: 2 }, compute_prior_ms: 1 }];
    const edited = configOf(addModel(base, { ...model, name: 'new' }, [{ target: 'lambda', serves }]));
    expect(checkConfig(edited)).toEqual([]);
    expect(edited.routes.at(-1)).toMatchObject({ name: 'new', model: 'new' });
  });

  it('keeps a revoked key, so that revoking the last one does not open the gateway', () => {
    const edited = configOf(revokeKey(configOf(addKey(base, KEY)), 'a'));
    expect(edited.api_keys).toEqual([{ ...KEY, enabled: false }]);
  });
});
