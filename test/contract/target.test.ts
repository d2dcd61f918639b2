/** Every target, real and fake, against the one contract. */
import { createEdgeTarget } from '../../worker/targets/edge.ts';
import type { EngineModel } from '../../worker/engine/model.ts';
import { createStaticCredentials } from '../../worker/aws/credentials.ts';
import { createGpuTarget } from '../../worker/targets/gpu.ts';
import { createLambdaTarget } from '../../worker/targets/lambda.ts';
import { createMcuTarget } from '../../worker/targets/mcu.ts';
import { createSageMakerTarget } from '../../worker/targets/sagemaker.ts';
import { poolOf } from '../fakes/device-pool.ts';
import { fakeModel, shelfOf } from '../fakes/engine-models.ts';
import type { Load } from '../fakes/engine-models.ts';
import { answerHonestly, breakDown, createFakeTarget, neverAnswer } from '../fakes/fake-target.ts';
import { gpuSpec } from '../fakes/gpu-spec.ts';
import { SERVER_TOKEN, startOpenInferenceServer } from '../fakes/open-inference-server.ts';
import { predictImage, predictText, sampleTarget } from '../fakes/sample-call.ts';
import { sendWhole, startUpstreamServer, streamHonestly } from '../fakes/upstream-server.ts';
import type { Answering } from '../fakes/upstream-server.ts';
import { KEY, REGION, TEMPORARY_KEY } from '../fixtures/local/keys.ts';
import { testConfig } from '../worker/test-config.ts';
import { describeTargetContract } from './target-contract.ts';
import type { Behaviour, TargetHarness } from './target-contract.ts';

const clock = { now: () => Date.now() };

describeTargetContract('the fake', () => ({
  create(behaviour) {
    const scripts = { answers: answerHonestly, hangs: neverAnswer, breaks: breakDown };
    return createFakeTarget(sampleTarget('edge'), scripts[behaviour]);
  },
}));

for (const binaryTensors of [true, false]) {
  describeTargetContract(`gpu, ${binaryTensors ? 'binary' : 'JSON'} tensors`, async () => {
    const server = await startOpenInferenceServer();
    return {
      create(behaviour) {
        if (behaviour === 'hangs') server.answerWith(() => undefined);
        if (behaviour === 'breaks') server.answerWith((_request, response) => void response.destroy());
        return createGpuTarget({ spec: gpuSpec(server.url, binaryTensors), clock, secretOf: () => SERVER_TOKEN });
      },
      close: () => server.close(),
    };
  });
}

describeTargetContract('edge', () => ({
  create(behaviour) {
    const loads: Readonly<Record<Behaviour, Load>> = {
      answers: async ({ sha256 }) => honestModel(sha256.startsWith('a') ? ['yes', 'no', 'oos'] : ['dark', 'light']),
      hangs: () => new Promise(() => undefined),
      breaks: async () => brokenModel,
    };
    const shelf = shelfOf(loads[behaviour], clock);
    return createEdgeTarget({ spec: sampleTarget('edge'), models: testConfig().models, clock, shelf });
  },
}));

function honestModel(labels: readonly string[]): EngineModel {
  return fakeModel(labels, (input) => {
    const { label, confidence } = input.kind === 'text' ? predictText(input.text) : predictImage(input.pixels);
    // The label asked for stands alone, so that the ranking has nothing else above zero to say.
    const probabilities = Float32Array.from(labels, (name) => (name === label ? confidence : 0));
    return { labelIndex: labels.indexOf(label), label, confidence, probabilities, truncated: false };
  });
}

const brokenModel = fakeModel(['yes', 'no', 'oos'], (input) => {
  throw new Error(`secret: ${input.kind === 'text' ? input.text : 'image'}`);
});

describeTargetContract('lambda, streamed', () => overHttp('lambda', streamHonestly));
describeTargetContract('sagemaker, whole', () => overHttp('sagemaker', sendWhole));

describeTargetContract('mcu', () => ({
  async create(behaviour) {
    const spec = sampleTarget('edge', { id: 'mcu', endpoint: { kind: 'mcu', pool: 'devices', shards: 1 } });
    return createMcuTarget({ spec, clock, hubs: await poolOf(behaviour) });
  },
}));

async function overHttp(kind: 'lambda' | 'sagemaker', answering: Answering): Promise<TargetHarness> {
  const server = await startUpstreamServer(kind);
  server.answerWith(answering);
  return {
    async create(behaviour: Behaviour) {
      if (behaviour === 'hangs') await server.setFault({ kind: 'stall_after_headers' });
      if (behaviour === 'breaks') await server.setFault({ kind: 'cut_mid_body' });
      if (kind === 'lambda') {
        const spec = sampleTarget('lambda', { region: REGION, endpoint: { kind: 'lambda', function_url: server.url } });
        return createLambdaTarget({ spec, clock, credentials: createStaticCredentials(KEY) });
      }
      const spec = sampleTarget('sagemaker', {
        region: REGION,
        endpoint: { kind: 'sagemaker', endpoint_name: 'large', base_url: server.url },
      });
      return createSageMakerTarget({ spec, clock, credentials: createStaticCredentials(TEMPORARY_KEY) });
    },
    close: () => server.close(),
  };
}
