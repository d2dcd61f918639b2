/**
 * ONNX Runtime Web in workerd, which compiles no WebAssembly from bytes: the module comes with the script instead. Owns
 * only that; the build (wrangler.toml beside this file, local/bundle-onnx-worker.ts) replaces `WebAssembly.instantiate` in
 * this worker by `instantiateOnnxRuntime`, so that no global of the platform is patched.
 */
import module from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { env, InferenceSession } from 'onnxruntime-web/wasm';

let memory: WebAssembly.Memory | undefined;

/** What the runtime holds. It never gives any back; what a closed session held is used again. */
export function runtimeMemoryBytes(): number {
  return memory?.buffer.byteLength ?? 0;
}

/** Asked with the bytes in `wasmBinary`, which stand for the module. */
async function instantiateOnnxRuntime(
  _bytes: unknown,
  imports: WebAssembly.Imports,
): Promise<{ module: WebAssembly.Module; instance: WebAssembly.Instance }> {
  for (const imported of Object.values(imports).flatMap((group) => Object.values(group))) {
    if (imported instanceof WebAssembly.Memory) memory = imported;
  }
  return { module, instance: new WebAssembly.Instance(module, imports) };
}

Object.assign(globalThis, { instantiateOnnxRuntime });
env.wasm.wasmBinary = new ArrayBuffer(8);
env.wasm.numThreads = 1;
env.wasm.proxy = false;
env.logLevel = 'error';

export function openSession(bytes: ArrayBuffer): Promise<InferenceSession> {
  return InferenceSession.create(new Uint8Array(bytes), { graphOptimizationLevel: 'all' });
}
