/** Every target, real and fake, against the one contract. */
import { createEdgeTarget } from '../../worker/targets/edge.ts';
import type { EdgeModel } from '../../worker/targets/edge.ts';
import { createStaticCredentials } from '../../worker/aws/credentials.ts';
import { createGpuTarget } from '../../worker/targets/gpu.ts';
import { createLambdaTarget } from '../../worker/targets/lambda.ts';
import { createSageMakerTarget } from '../../worker/targets/sagemaker.ts';
import { answerHonestly, breakDown, createFakeTarget, neverAnswer } from '../fakes/fake-target.ts';
import { gpuSpec } from '../fakes/gpu-spec.ts';
import { SERVER_TOKEN, startOpenInferenceServer } from '../fakes/open-inference-server.ts';
import { labelOf, predictImage, predictText, sampleTarget } from '../fakes/sample-call.ts';
import { sendWhole, startUpstreamServer, streamHonestly } from '../fakes/upstream-server.ts';
import type { Answering } from '../fakes/upstream-server.ts';
import { KEY, REGION, TEMPORARY_KEY } from '../fixtures/local/keys.ts';
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
    const loaders = {
      answers: async () => honestModel,
      hangs: () => new Promise<EdgeModel>(() => undefined),
      breaks: async () => brokenModel,
    };
    const load = loaders[behaviour];
    return createEdgeTarget({ spec: sampleTarget('edge'), clock, loaders: { 'mood/micro': load, 'dots/micro': load } });
  },
}));

const honestModel: EdgeModel = {
  classify(input) {
    const labels = input.kind === 'text' ? ['yes', 'no', 'oos'] : ['dark', 'light'];
    const answer = input.kind === 'text' ? predictText(input.text) : predictImage(input.pixels);
    const { confidence } = answer;
    const label = labelOf(answer) ?? '';
    // The label asked for stands alone, so that the ranking has nothing else above zero to say.
    const probabilities = Float32Array.from(labels, (name) => (name === label ? confidence : 0));
    return { labelIndex: labels.indexOf(label), label, confidence, probabilities, truncated: false };
  },
};

const brokenModel: EdgeModel = {
  classify(input) {
    throw new Error(`secret: ${input.kind === 'text' ? input.text : 'image'}`);
  },
};

describeTargetContract('lambda, streamed', () => overHttp('lambda', streamHonestly));
describeTargetContract('sagemaker, whole', () => overHttp('sagemaker', sendWhole));

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
