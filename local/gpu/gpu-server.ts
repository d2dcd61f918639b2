/**
 * A GPU box on this machine, without a GPU: the model server as a process of its own, spoken to by the Open Inference Protocol.
 */
import { join } from 'node:path';
import { startContainer } from '../aws/sagemaker-container.ts';
import { REPOSITORY_ROOT } from '../bundle-worker.ts';

export type GpuServer = {
  readonly url: string;
  close(): Promise<void>;
};

export async function startGpuServer(onLine?: (line: string) => void): Promise<GpuServer> {
  const container = startContainer({
    file: join(REPOSITORY_ROOT, 'lambdas/infer/container.ts'),
    environment: { MODEL_DIR: join(REPOSITORY_ROOT, 'models'), MODEL_VARIANTS: 'base' },
    startTimeoutMs: 60_000,
    stopGraceMs: 5_000,
    onLine,
  });
  try {
    await container.waitUntilReady();
    const state = container.state();
    if (state.kind !== 'in_service') throw new Error('the model server went away as soon as it was there');
    return { url: `http://127.0.0.1:${state.port}`, close: () => container.close() };
  } catch (error) {
    await container.close();
    throw error;
  }
}
