/**
 * The worker that the engine is measured in: nothing but the pool and the engine. Weights come in the body of a request, as they come from
 * assets in the product, so that nothing keeps them besides the engine. Bundled by ../bench/engine-workerd.ts.
 */
import relaxedKernels from '../../worker/engine/kernels-relaxed.wasm';
import kernels from '../../worker/engine/kernels.wasm';
import { createEngine } from '../../worker/engine/engine.ts';
import type { EngineModel, ModelInput } from '../../worker/engine/model.ts';
import { createModelPool } from '../../worker/engine/model-pool.ts';

const pool = createModelPool(createEngine({ wasm: kernels, relaxedWasm: relaxedKernels }));

function inputOf(text: string): ModelInput {
  // A model of images gets one where a text was expected.
  return text === '' ? { kind: 'image', pixels: new Float32Array(784).fill(0.5) } : { kind: 'text', text };
}

function answer(model: EngineModel, text: string, times: number): number {
  if (model.info.task === 'sentence_embedding') return model.embed({ kind: 'text', text }).vector.length;
  const input = inputOf(text);
  for (let i = 1; i < times; i += 1) model.classify(input);
  return times === 0 ? 0 : model.classify(input).confidence;
}

// oxlint-disable-next-line import/no-default-export -- workerd's entry point
export default {
  /** `POST /?key=K&text=T&times=N`, with the weights in the body where K is not loaded yet. */
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const [key, text] = [searchParams.get('key') ?? '', searchParams.get('text') ?? ''];
    const body = await request.arrayBuffer();
    const model = await pool.get(key, async () => body);
    const value = answer(model, text, Number(searchParams.get('times') ?? '1'));
    return Response.json({ value, loaded: pool.loaded() });
  },
};
