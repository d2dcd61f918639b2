/** A `gpu` target through the real worker in workerd: our own model server, spoken to by the Open Inference Protocol. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStack, type Stack } from '../../local/stack.ts';
import { ask } from './gateway-client.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ port: 0, gpu: true });
});
afterAll(() => stack.close());

describe('a gpu server', () => {
  it('is listed, reachable, and asked when a variant is pinned and Lambda is away', async () => {
    await stack.lambda.setFault({ kind: 'refuse' });
    const reply = await ask(stack.url, { model_name: 'intent', input_data: 'wake me up at seven', variant: 'base' });
    expect(reply.status).toBe(200);
    expect(reply.body.target_used).toMatchObject({ kind: 'gpu', id: 'gpu' });
    expect(reply.body.predictions[0]?.label).toBe('alarm');
    await stack.lambda.setFault(null);
  });

  it('answers as Lambda does, for texts and for batches', async () => {
    const question = {
      model_name: 'banking',
      input_data: ['where is my card', 'why was i charged twice'],
      variant: 'base',
    };
    const atLambda = await ask(stack.url, { ...question, placement: 'cloud', cache: 'bypass' });
    const atGpu = await ask(stack.url, { ...question, placement: 'edge', cache: 'bypass' });
    expect(atLambda.body.target_used.kind).toBe('lambda');
    expect(atGpu.body.target_used.kind).toBe('gpu');
    const said = (reply: typeof atGpu) =>
      reply.body.predictions.map(({ label, confidence }) => [label, Math.round(confidence * 1e4)]);
    expect(said(atGpu)).toEqual(said(atLambda));
  });
});
