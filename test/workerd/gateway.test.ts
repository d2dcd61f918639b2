import { SELF } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import digitsText from '../fixtures/digits-golden.json?raw';
import intentText from '../fixtures/intent-golden.json?raw';

const digits: { rows: { pixels_base64: string }[] } = JSON.parse(digitsText);
const intent: { rows: { text: string }[] } = JSON.parse(intentText);

type Answer = {
  request_id: string;
  variant: string;
  cache: string;
  predictions: { label: string; confidence: number; truncated: boolean }[];
  target_used: { kind: string };
  decision: { missed: string[]; reason: string; refused?: { target: string; reason: string; detail: string }[] };
  error: { code: string; message: string };
};

async function post(body: unknown): Promise<{ status: number; body: Answer }> {
  const response = await SELF.fetch('http://gateway/v1/infer', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

describe('the worker alone in workerd, with nothing configured', () => {
  it('answers a text from the small model in the isolate', async () => {
    const { status, body } = await post({ model_name: 'intent', input_data: 'set an alarm for seven in the morning' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ variant: 'micro', target_used: { kind: 'edge' }, cache: 'miss' });
    expect(body.predictions[0]?.label).toBe('alarm');
  });

  it('answers the second time from the isolate’s cache', async () => {
    const request = { model_name: 'intent', input_data: 'what time is it in tokyo' };
    await post(request);
    expect((await post(request)).body.cache).toBe('hit');
  });

  it('answers an image', async () => {
    const [row] = digits.rows;
    const bytes = Uint8Array.from(atob(row?.pixels_base64 ?? ''), (character) => character.charCodeAt(0));
    const { status, body } = await post({
      model_name: 'digits',
      input_data: Array.from(bytes, (byte) => byte / 255),
      model_complexity: 'low',
    });
    expect([status, body.target_used.kind]).toEqual([200, 'edge']);
    expect(body.predictions[0]?.label).toMatch(/^\d$/);
  });

  it('takes every hostile text of the golden file without failing', async () => {
    for (const { text } of intent.rows) {
      const { status } = await post({ model_name: 'intent', input_data: text });
      expect(text.trim() === '' ? 422 : 200).toBe(status);
    }
  });

  it('says plainly why it cannot escalate', async () => {
    const { status, body } = await post({ model_name: 'intent', input_data: 'qwxz plomf', placement: 'cloud' });
    expect([status, body.error.code]).toEqual([503, 'target_unavailable']);
    expect(body.error.message).toMatch(/lambda\/base: unreachable/);
    const unsure = await post({ model_name: 'intent', input_data: 'qwxz plomf', explain: true });
    expect(unsure.status).toBe(200);
    expect(unsure.body.decision.refused?.filter(({ reason }) => reason === 'unreachable')).toHaveLength(2);
  });

  it('is ready, and says what it can reach and that it is open', async () => {
    const response = await SELF.fetch('http://gateway/readyz');
    const body: {
      ready: boolean;
      authentication: string;
      config: { source: string };
      targets: { id: string; reachable: boolean }[];
    } = await response.json();
    expect(body).toMatchObject({ ready: true, config: { source: 'embedded' } });
    expect(body.authentication).toContain('open');
    expect(body.targets.map(({ id, reachable }) => [id, reachable])).toEqual([
      ['edge', true],
      ['lambda', false],
      ['sagemaker', false],
    ]);
  });

  it('counts what it did, in JSON and in Prometheus’ form', async () => {
    await post({ model_name: 'intent', input_data: 'count me' });
    const json: { request_count: number; source: string } = await (
      await SELF.fetch('http://gateway/v1/metrics')
    ).json();
    expect(json.request_count).toBeGreaterThan(0);
    expect(json.source).toBe('isolate');
    const text = await (await SELF.fetch('http://gateway/v1/metrics?format=prometheus')).text();
    expect(text).toMatch(/^hybrid_inference_request_count\{route="intent"\} \d+$/m);
  });
});
