import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runOnce, type Ran } from './hybrid-run.ts';

const REQUEST = { model_name: 'intent', input_data: 'wake me up at seven' };

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decide-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function file(name: string, value: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

async function decide(request: unknown, facts?: unknown, ...more: string[]): Promise<Ran> {
  const given = facts === undefined ? [] : ['--facts', await file('facts.json', facts)];
  return runOnce(['decide', await file('request.json', request), ...given, ...more], {});
}

describe('hybrid decide', () => {
  it('shows what was decided, in which order places are asked and what is expected', async () => {
    const { status, out } = await decide({ ...REQUEST, latency_requirement: 500 });
    expect(status).toBe(0);
    expect(out).toMatch(/^intent \d+\.\d+\.\d+: route intent, policy cascade\n500 ms left;/);
    expect(out).toMatch(/micro at edge answers first; below confidence 0\.\d+ it escalates/);
    expect(out).toMatch(/^1 +edge +micro +first +from 0\.\d/m);
    expect(out).toMatch(/sagemaker +large +if not sure +any answer/);
    expect(out).toMatch(/Expected: .* a million, .* right; asking large every time: \$\d/);
  });

  it('aligns its columns', async () => {
    const { out } = await decide(REQUEST);
    const lines = out.split('Asked in this order\n')[1]?.split('\n\n')[0]?.split('\n') ?? [];
    expect(lines.length).toBeGreaterThan(2);
    const title = lines[0]?.indexOf('variant') ?? -1;
    for (const line of lines.slice(1)) expect(line[title - 1]).toBe(' ');
    expect(new Set(lines.slice(1).map((line) => line.length)).size).toBe(1);
  });

  it('says who was left out and why, from what is supposed to be seen', async () => {
    const { out } = await decide(
      { ...REQUEST, latency_requirement: 120 },
      {
        targets: {
          lambda: { breaker_open_for_ms: 1_500 },
          sagemaker: { observed: { large: { count: 500, p50_ms: 400, p95_ms: 700 } } },
        },
      },
    );
    expect(out).toMatch(/lambda +base +breaker open: open for another 1500 ms/);
    expect(out).toMatch(/sagemaker +large +too slow: needs \d/);
  });

  it('expects a place to take longer the further away it stands', async () => {
    const shipped = await runOnce(['decide', await file('request.json', REQUEST), '--json'], {});
    const targets = shipped.json.plan.attempts.map((attempt: { target: string }) => attempt.target);
    expect(targets).toContain('sagemaker');
    const far = await decide(REQUEST, { location: { latitude: -33.9, longitude: 151.2 } }, '--json');
    const p50 = (ran: Ran): number =>
      ran.json.plan.attempts.find(({ target }: { target: string }) => target === 'sagemaker').predictedP50Ms;
    expect(p50(far) - p50(shipped)).toBeGreaterThan(150);
  });

  it('prints the whole plan under --json', async () => {
    const { status, json } = await decide({ ...REQUEST, placement: 'edge' }, undefined, '--json');
    expect(status).toBe(0);
    expect(json).toMatchObject({ model: 'intent', route: 'intent', requirements: { placement: 'edge' } });
    expect(json.plan.attempts[0]).toMatchObject({ target: 'edge', variant: 'micro', role: 'primary' });
    expect(json.plan.refused[0].reason).toBe('placement_excluded');
  });

  it('exits 6 where nothing could answer, and says why', async () => {
    const { status, out } = await decide(
      { ...REQUEST, placement: 'cloud' },
      {
        targets: { lambda: { unreachable: 'no credentials' }, sagemaker: { breaker_open_for_ms: 700 } },
      },
    );
    expect(status).toBe(6);
    expect(out).toContain('cannot be reached: no credentials');
    expect(out).toMatch(/A place may be back in 700 ms\./);
    expect(out).not.toContain('Expected:');
  });

  it('decides by a configuration of one’s own', async () => {
    const config = await file('config.json', '{"schema": 1}');
    const { status, err } = await runOnce(['decide', await file('request.json', REQUEST), '--config', config], {});
    expect(status).toBe(3);
    expect(err).toMatch(/models/);
  });

  it.each([
    [{ ...REQUEST, priority: 'urgent' }, /invalid_request: priority: must be one of/],
    [{ ...REQUEST, model_name: 'nobody' }, /model_unknown: .*no model "nobody"/],
    [{ ...REQUEST, input_data: [1, 2] }, /invalid_input: input_data\[0\]/],
    [{ ...REQUEST, colour: 'red' }, /colour: is not a field/],
    ['{"model_name"', /is not JSON/],
  ])('refuses the request %j with the words of the gateway', async (request, words) => {
    const { status, err } = await decide(request);
    expect(status).toBe(3);
    expect(err).toMatch(words);
  });

  it.each([
    [{ targets: { lambada: {} } }, /targets\.lambada: no place of this model has that id, only edge, /],
    [{ elapsed_ms: -1 }, /elapsed_ms: /],
    [{ targets: { lambda: { mood: 'bad' } } }, /targets\.lambda/],
    [{ location: { latitude: 91, longitude: 0 } }, /location\.latitude/],
  ])('refuses the facts %j', async (facts, words) => {
    const { status, err } = await decide(REQUEST, facts);
    expect(status).toBe(3);
    expect(err).toMatch(words);
  });

  it('names a file that is not there', async () => {
    const { status, err } = await runOnce(['decide', join(folder, 'nowhere.json')], {});
    expect(status).toBe(2);
    expect(err).toContain('cannot be read');
  });
});
