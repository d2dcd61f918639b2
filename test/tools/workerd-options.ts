/**
 * What the workerd tests run in: the router as `wrangler.toml` has it, ONNX Runtime's worker beside it, as its binding ORT
 * wants. Leaves out the local stack, which puts the same two together in its own way.
 */
import { bundleOnnxWorker } from '../../local/bundle-worker.ts';
import { stageWeights } from '../../local/stage-weights.ts';

const TYPES = { esm: 'ESModule', data: 'Data', wasm: 'CompiledWasm' } as const;

export async function workerdOptions() {
  // The static assets are read when the tests start.
  await stageWeights('models', 'public');
  const { mainModule, modules } = await bundleOnnxWorker();
  // The first module is the entry point.
  const names = [mainModule, ...Object.keys(modules).filter((name) => name !== mainModule)];
  return {
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      workers: [
        {
          name: 'hybrid-inference-onnx',
          compatibilityDate: '2026-08-22',
          modules: names.flatMap((path) => {
            const module = modules[path];
            return module === undefined ? [] : [{ type: TYPES[module.type], path, contents: module.contents }];
          }),
          r2Buckets: { WEIGHTS: 'hybrid-inference-weights' },
        },
      ],
    },
  };
}
