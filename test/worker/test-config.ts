/**
 * A small configuration for tests: one text model and one image model, each served by edge, Lambda and SageMaker.
 */
import { defaultConfig } from '../../shared/config/default-config.ts';
import type { Card, CardVariant } from '../../shared/schema/card.ts';
import type { Config } from '../../shared/schema/config.ts';

export function testConfig(change: (config: Config) => Config = (config) => config): Config {
  return change(
    defaultConfig([textCard, imageCard], {
      region: 'us-east-1',
      lambdaFunctionUrl: 'http://127.0.0.1:1/',
      sagemakerEndpointName: 'large',
      sagemakerBaseUrl: 'http://127.0.0.1:2',
    }),
  );
}

function variant(runtime: CardVariant['runtime'], accuracy: number, digit: string): CardVariant {
  return {
    file: 'weights',
    runtime,
    format: 'int8',
    size_bytes: 1_000,
    sha256: digit.repeat(64),
    calibration: { kind: 'temperature', temperature: 1 },
    metrics: { accuracy, ece: 0.01, n: 100, split: 'made up for tests' },
    latency_ms: { p50: 1, p95: 2 },
  };
}

const variants = (digit: string): Card['variants'] => ({
  micro: variant('engine', 0.9, digit),
  base: variant('onnx', 0.94, digit),
  large: variant('onnx', 0.97, digit),
});

const textCard: Card = {
  name: 'mood',
  version: '1.0.0',
  task: 'text_classification',
  description: 'Yes or no.',
  labels: ['yes', 'no', 'oos'],
  out_of_scope_label: 'oos',
  input: { kind: 'text', max_chars: 100 },
  reference_variant: 'large',
  variants: variants('a'),
};

const imageCard: Card = {
  name: 'dots',
  version: '1.0.0',
  task: 'image_classification',
  description: 'Two by three pixels.',
  labels: ['dark', 'light'],
  out_of_scope_label: null,
  input: { kind: 'image', height: 2, width: 3, channels: 1 },
  reference_variant: 'large',
  variants: variants('b'),
};
