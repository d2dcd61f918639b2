/** The main job through the whole stack: real sentences and images in, answers, places, costs and reasons out. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { InvokeEndpointCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabelledImage } from '../../local/data/read-idx.ts';
import type { LabelledText } from '../../local/data/read-labelled-text.ts';
import { threeSteps } from './three-steps.ts';
import { LOCAL_REGION, startStack, type Stack } from '../../local/stack.ts';
import { ask as askUrl, SOON, type Answer, type Reply } from './gateway-client.ts';
import { sampleImages, sampleSentences } from './samples.ts';

const API_KEY = 'canary-key-7f3d1c';
const CANARY_TEXT = 'zanzibar quokka transfers seventeen marbles to my savings';
const SIDE = 28;

let stack: Stack;
const workerLines: string[] = [];
const serverLines: string[] = [];
let sentences: readonly LabelledText[];
let images: readonly LabelledImage[];

beforeAll(async () => {
  [stack, sentences, images] = await Promise.all([
    startStack({
      configure: threeSteps,
      port: 0,
      apiKey: API_KEY,
      onWorkerLine: (line) => workerLines.push(line),
      onServerLine: (line) => serverLines.push(line),
    }),
    sampleSentences(40),
    sampleImages(20),
  ]);
});
afterAll(() => stack.close());

function ask(body: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Reply> {
  return askUrl(stack.url, body, { authorization: `Bearer ${API_KEY}`, ...headers });
}

async function answer(body: Record<string, unknown>): Promise<Answer> {
  const reply = await ask(body);
  expect(reply.body.error).toBeUndefined();
  expect(reply.status).toBe(200);
  return reply.body;
}

function intent(text: unknown, extra: Record<string, unknown> = {}): Promise<Answer> {
  return answer({ model_name: 'intent', input_data: text, ...extra });
}

function labelOf({ predictions }: Answer): string | undefined {
  return predictions[0]?.label;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

describe('sentences and images through the edge URL', () => {
  it('are mostly labelled right, mostly at the edge, for less than the large model alone would cost', async () => {
    const answers: Answer[] = [];
    for (const { input } of sentences) answers.push(await intent(input));
    for (const { pixels } of images) answers.push(await answer({ model_name: 'digits', input_data: pixels }));

    const wanted = [...sentences, ...images].map(({ label }) => label);
    const right = answers.filter((given, index) => labelOf(given) === wanted[index]).length;
    expect(right / wanted.length).toBeGreaterThanOrEqual(0.85);
    const atEdge = answers.filter((given) => given.target_used.kind === 'edge').length;
    expect(atEdge / answers.length).toBeGreaterThanOrEqual(0.6);
    expect(sum(answers.map((given) => given.cost_usd))).toBeLessThan(
      sum(answers.map((given) => given.decision.cloud_only_cost_usd)),
    );
    expect(answers.every((given) => given.cost_usd > 0)).toBe(true);
  });

  it('climb from the edge to Lambda to SageMaker the surer an answer must be, each step with its reason', async () => {
    const text = await leastSureSentence();
    // Nothing but the last step can promise certainty.
    const climbed = await intent(text, { min_accuracy: 1, explain: true });
    expect(climbed.decision.fallback_chain.map(({ target, why }) => `${target} ${why}`)).toEqual([
      'edge first',
      'lambda escalation',
      'sagemaker escalation',
    ]);
    expect(climbed.decision.fallback_chain.map(({ outcome }) => outcome)).toEqual([
      'low_confidence',
      'low_confidence',
      'accepted',
    ]);
    expect(climbed.target_used).toEqual({ kind: 'sagemaker', id: 'sagemaker', region: LOCAL_REGION });
    expect(climbed.decision.missed).toContain('min_accuracy');
    expect(climbed.decision.reason).toContain('2 escalations');
    // Each attempt is paid for, and nothing twice.
    const attempts = sum(climbed.decision.fallback_chain.map(({ cost_usd }) => cost_usd));
    expect(climbed.cost_usd).toBeGreaterThan(attempts);
    expect(climbed.cost_usd).toBeLessThan(attempts + 0.000_001);
  });

  it('start at the place the caller asks for', async () => {
    const [first] = sentences;
    const place = async (extra: Record<string, unknown>) =>
      (await intent(first?.input, { cache: 'bypass', ...extra })).decision.fallback_chain[0]?.target;
    expect(await place({ model_complexity: 'low' })).toBe('edge');
    expect(await place({ model_complexity: 'medium' })).toBe('lambda');
    expect(await place({ model_complexity: 'high' })).toBe('sagemaker');
    expect(await place({ placement: 'cloud' })).toBe('lambda');
    expect(await place({ variant: 'large' })).toBe('sagemaker');
  });

  it('come back with a decision that leaves nothing out', async () => {
    const [first] = sentences;
    const { body, headers } = await ask({
      model_name: 'intent',
      input_data: first?.input,
      cache: 'bypass',
      explain: true,
    });
    expect(body).toMatchObject({
      request_id: headers.get('x-request-id'),
      model_name: 'intent',
      variant: 'micro',
      target_used: { kind: 'edge', id: headers.get('x-target-used'), region: 'local' },
      cache: 'miss',
      predictions: [{ label: expect.any(String), truncated: false, variant: 'micro', target: 'edge', accepted: true }],
      decision: {
        target_selected: { kind: 'edge', id: 'edge', region: 'local' },
        policy: 'cascade',
        reason: expect.stringContaining('micro at edge answers first'),
        missed: [],
        predicted: { latency_ms: expect.any(Number), cost_usd: expect.any(Number), accuracy: expect.any(Number) },
        actual: { latency_ms: expect.any(Number), cost_usd: body.cost_usd },
        config_version: '1',
        refused: [],
      },
    });
    expect(Number(headers.get('x-cost-usd'))).toBe(body.cost_usd);
    expect(body.decision.fallback_chain).toEqual([
      {
        target: 'edge',
        kind: 'edge',
        region: 'local',
        variant: 'micro',
        why: 'first',
        outcome: 'accepted',
        reason: null,
        detail: expect.stringContaining('1 of 1'),
        items: 1,
        accepted_items: 1,
        latency_ms: expect.any(Number),
        compute_ms: null,
        cost_usd: expect.any(Number),
      },
    ]);
    expect(JSON.stringify(body.decision)).toContain('"planned":[{"target":"edge"');
  });

  it('are answered from the cache the second time, and not where the caller bypasses it', async () => {
    const text = 'could you remind me where i parked the blue van';
    const first = await intent(text, { model_complexity: 'high' });
    const again = await intent(text, { model_complexity: 'high' });
    expect([first.cache, again.cache]).toEqual(['miss', 'hit']);
    expect(again.predictions).toEqual(first.predictions);
    expect(again.cost_usd).toBeLessThan(first.cost_usd);
    expect((await intent(text, { model_complexity: 'high', cache: 'bypass' })).cache).toBe('miss');
  });
});

describe('a batch of mixed difficulty', () => {
  it('escalates item by item and keeps the order', async () => {
    const graded = await bySureness();
    const [hardest] = graded;
    const [easy, easier] = graded.slice(-2);
    if (hardest === undefined || easy === undefined || easier === undefined) throw new Error('too few sentences');
    expect(hardest.confidence).toBeLessThan(easy.confidence);
    const between = (hardest.confidence + easy.confidence) / 2;
    const batch = await intent([easier.text, hardest.text, easy.text], { min_accuracy: between, cache: 'bypass' });

    expect(batch.predictions.map(({ target }) => target === 'edge')).toEqual([true, false, true]);
    expect(batch.predictions[0]?.confidence).toBeCloseTo(easier.confidence, 5);
    expect(batch.predictions[2]?.confidence).toBeCloseTo(easy.confidence, 5);
    const [first, second] = batch.decision.fallback_chain;
    expect(first).toMatchObject({ target: 'edge', outcome: 'partly_accepted', items: 3, accepted_items: 2 });
    expect(second).toMatchObject({ target: 'lambda', why: 'escalation', items: 1 });
    // Named after the place of its hardest input.
    expect(batch.target_used.id).toBe(batch.predictions[1]?.target);
  });
});

describe('one image', () => {
  const forms = (image: LabelledImage): Record<string, unknown> => {
    const bytes = Uint8Array.from(image.pixels, (value) => Math.round(value * 255));
    const png = encodePng({ width: SIDE, height: SIDE, data: bytes, channels: 1, depth: 8 });
    return {
      png: Buffer.from(png).toString('base64'),
      'data URL': `data:image/png;base64,${Buffer.from(png).toString('base64')}`,
      'grey bytes': Buffer.from(bytes).toString('base64'),
      rows: Array.from({ length: SIDE }, (_, row) => image.pixels.slice(row * SIDE, (row + 1) * SIDE)),
      flat: image.pixels,
    };
  };

  it.each(['low', 'medium', 'high'])(
    'gives one answer in every form it may be sent in, at complexity %s',
    async (complexity) => {
      const image = images[3];
      if (image === undefined) throw new Error('too few images');
      const inputs = Object.values(forms(image));
      const singles: Answer['predictions'][number][] = [];
      for (const input of inputs) {
        const { predictions } = await answer({
          model_name: 'digits',
          input_data: input,
          model_complexity: complexity,
          cache: 'bypass',
        });
        singles.push(...predictions);
      }
      const batch = await answer({
        model_name: 'digits',
        input_data: inputs,
        model_complexity: complexity,
        cache: 'bypass',
      });
      for (const prediction of [...singles, ...batch.predictions]) {
        expect(prediction.label).toBe(image.label);
        expect(prediction.target).toBe(singles[0]?.target);
        expect(prediction.confidence).toBeCloseTo(singles[0]?.confidence ?? Number.NaN, 4);
      }
    },
  );
});

describe('independent witnesses of the wire', () => {
  const upstreamRequest = (variant: string, text: string) => ({
    request_id: 'witness',
    model: 'intent',
    variant,
    input: { kind: 'text', texts: [text] },
    deadline_ms: 10_000,
  });
  const firstLine = (bytes: Uint8Array): unknown =>
    JSON.parse(Buffer.from(bytes).toString('utf8').split('\n')[0] ?? '');

  it("get the gateway's own answer from SageMaker's InvokeEndpoint", async () => {
    const client = new SageMakerRuntimeClient({
      endpoint: stack.sagemaker.url,
      region: LOCAL_REGION,
      credentials: stack.credentials,
    });
    for (const { input } of sentences.slice(0, 3)) {
      const { Body, ContentType } = await client.send(
        new InvokeEndpointCommand({
          EndpointName: 'hybrid-inference-large',
          ContentType: 'application/json',
          Accept: 'application/x-ndjson',
          Body: Buffer.from(JSON.stringify(upstreamRequest('large', input))),
        }),
      );
      const gateway = await intent(input, { variant: 'large', cache: 'bypass' });
      expect(ContentType).toBe('application/x-ndjson');
      expect(firstLine(Body)).toMatchObject({ kind: 'prediction', label: labelOf(gateway) });
    }
    client.destroy();
  });

  it("get the gateway's own answer from Lambda's Invoke", async () => {
    const client = new LambdaClient({
      endpoint: stack.lambda.url,
      region: LOCAL_REGION,
      credentials: stack.credentials,
    });
    for (const { input } of sentences.slice(0, 3)) {
      const event = {
        requestContext: { http: { method: 'POST' } },
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(upstreamRequest('base', input)),
      };
      const { Payload, FunctionError, StatusCode } = await client.send(
        new InvokeCommand({ FunctionName: 'hybrid-inference-base', Payload: JSON.stringify(event) }),
      );
      expect([StatusCode, FunctionError]).toEqual([200, undefined]);
      // Invoked this way a streaming handler's answer holds its HTTP head, eight zero bytes, then the body.
      const payload = Buffer.from(Payload ?? []);
      const head = payload.indexOf(Buffer.alloc(8));
      const gateway = await intent(input, { variant: 'base', cache: 'bypass' });
      expect(JSON.parse(payload.subarray(0, head).toString('utf8'))).toMatchObject({ statusCode: 200 });
      expect(firstLine(payload.subarray(head + 8))).toMatchObject({ kind: 'prediction', label: labelOf(gateway) });
    }
    client.destroy();
  });

  it('are refused where the secret is not the right one', async () => {
    const client = new SageMakerRuntimeClient({
      endpoint: stack.sagemaker.url,
      region: LOCAL_REGION,
      credentials: { ...stack.credentials, secretAccessKey: 'guessed' },
    });
    const invoke = new InvokeEndpointCommand({
      EndpointName: 'hybrid-inference-large',
      ContentType: 'application/json',
      Body: '{}',
    });
    await expect(client.send(invoke)).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    client.destroy();
  });
});

describe('the log', () => {
  it("carries a caller's request id to Lambda and SageMaker and back, and never an input or a key", async () => {
    const requestId = 'e2e.trace:0001';
    const traced = await ask(
      { model_name: 'intent', input_data: [CANARY_TEXT, `${CANARY_TEXT} today`], min_accuracy: 1, cache: 'bypass' },
      { 'x-request-id': requestId },
    );
    expect(chainTargets(traced)).toEqual(['edge', 'lambda', 'sagemaker']);
    expect(traced.headers.get('x-request-id')).toBe(requestId);
    expect(traced.body.request_id).toBe(requestId);

    const variantsIn = (lines: readonly string[]) =>
      lines
        .filter((line) => line.startsWith('{') && line.includes(`"request_id":"${requestId}"`))
        .map((line) => (JSON.parse(line) as { variant?: string }).variant);
    await expect
      .poll(() => variantsIn(serverLines).toSorted((a = '', b = '') => a.localeCompare(b)), SOON)
      .toEqual(['base', 'large']);
    await expect.poll(() => variantsIn(workerLines), SOON).toHaveLength(1);

    const everything = [...workerLines, ...serverLines].join('\n');
    expect(workerLines.length).toBeGreaterThan(60);
    const secrets = [API_KEY, CANARY_TEXT, stack.credentials.secretAccessKey, ...sentences.map(({ input }) => input)];
    expect(secrets.filter((secret) => everything.includes(secret))).toEqual([]);
    for (const word of ['zanzibar', 'quokka', 'base64']) expect(everything).not.toContain(word);
  });

  it('gives a request id to who brings none or an unusable one', async () => {
    const [first] = sentences;
    for (const sent of [undefined, 'has spaces', 'x'.repeat(300)]) {
      const { headers, body } = await ask(
        { model_name: 'intent', input_data: first?.input },
        sent === undefined ? {} : { 'x-request-id': sent },
      );
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(body.request_id).toBe(headers.get('x-request-id'));
    }
  });

  it('says nothing about a refused key but that it is refused', async () => {
    const before = workerLines.length;
    const refused = await ask(
      { model_name: 'intent', input_data: CANARY_TEXT },
      { authorization: 'Bearer wrong-key-9c1' },
    );
    expect(refused.status).toBe(401);
    expect(refused.body.error?.code).toBe('unauthorized');
    await expect.poll(() => workerLines.length, SOON).toBeGreaterThan(before);
    expect(workerLines.slice(before).join('\n')).not.toMatch(/wrong-key|quokka/);
  });
});

/** Last: what it does to the observed latencies is nothing that other tests should meet. */
describe('a burst beyond what Lambda runs at once', () => {
  it('is answered to the last request: what Lambda throttles another place takes', async () => {
    const [first] = sentences;
    const replies = await Promise.all(
      Array.from({ length: 24 }, () =>
        ask({ model_name: 'intent', input_data: first?.input, model_complexity: 'medium', cache: 'bypass' }),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    const failures = replies.flatMap(({ body }) => body.decision.fallback_chain).flatMap(({ reason }) => reason ?? []);
    expect(new Set(failures)).toEqual(new Set(['throttled']));
    expect(new Set(replies.map(({ body }) => labelOf(body))).size).toBe(1);
  });
});

type Graded = { readonly text: string; readonly confidence: number };
let graded: readonly Graded[] | undefined;

/** From the least to the most sure, as the edge variant sees them: the test must not know any model's confidences. */
async function bySureness(): Promise<readonly Graded[]> {
  if (graded !== undefined) return graded;
  const texts = ['it is about that thing', ...sentences.map(({ input }) => input)];
  const { predictions } = await intent(texts, { variant: 'micro', cache: 'bypass' });
  graded = texts
    .map((text, index) => ({ text, confidence: predictions[index]?.confidence ?? Number.NaN }))
    .toSorted((a, b) => a.confidence - b.confidence);
  return graded;
}

async function leastSureSentence(): Promise<string> {
  const [least] = await bySureness();
  return least?.text ?? '';
}

function chainTargets({ body }: Reply): string[] {
  return body.decision.fallback_chain.map(({ target }) => target);
}
