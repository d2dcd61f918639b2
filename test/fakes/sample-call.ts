/** Target specifications, models and calls of the small test configuration, and the answer every test place gives to them. */
import type { Config, ModelSpec, TargetSpec } from '../../shared/schema/config.ts';
import type { ClassPrediction, Prediction } from '../../shared/schema/prediction.ts';
import type { TargetCall } from '../../worker/ports.ts';
import { testConfig } from '../worker/test-config.ts';

export function sampleTarget(id: 'edge' | 'lambda' | 'sagemaker', change: Partial<TargetSpec> = {}): TargetSpec {
  const spec = testConfig().targets.find((target) => target.id === id);
  if (spec === undefined) throw new Error(`no target ${id} in the test configuration`);
  return { ...spec, ...change };
}

function sampleModel(name: 'mood' | 'dots', config: Config = testConfig()): ModelSpec {
  const model = config.models.find((candidate) => candidate.name === name);
  if (model === undefined) throw new Error(`no model ${name} in the test configuration`);
  return model;
}

export function textCall(texts: readonly string[], change: Partial<TargetCall> = {}): TargetCall {
  return {
    requestId: 'request-1',
    model: sampleModel('mood'),
    variant: 'micro',
    input: { kind: 'text', texts },
    timeoutMs: 2_000,
    ...change,
  };
}

/** One image per brightness, every pixel of it alike. */
export function imageCall(brightness: readonly number[], change: Partial<TargetCall> = {}): TargetCall {
  const images = brightness.map((value) => new Float32Array(6).fill(value));
  return {
    requestId: 'request-2',
    model: sampleModel('dots'),
    variant: 'micro',
    input: { kind: 'image', height: 2, width: 3, channels: 1, images },
    timeoutMs: 2_000,
    ...change,
  };
}

/** `yes` and `no` are themselves, any other text is out of scope. */
export function predictText(text: string): ClassPrediction {
  const label = text === 'yes' || text === 'no' ? text : 'oos';
  return predict(label, text.length > 100);
}

export function predictImage(pixels: ArrayLike<number>): ClassPrediction {
  return predict((pixels[0] ?? 0) > 0.5 ? 'light' : 'dark', false);
}

function predict(label: string, truncated: boolean): ClassPrediction {
  return { kind: 'class', label, confidence: 0.75, top: [{ label, confidence: 0.75 }], truncated };
}

/** The label of a classifier's answer; any other answer has none. */
export function labelOf(prediction: Prediction | undefined): string | undefined {
  return prediction?.kind === 'class' ? prediction.label : undefined;
}
