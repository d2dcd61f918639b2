/**
 * A result's items -> output tensors, one row an input.
 */
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import type { Prediction } from '../../../shared/schema/prediction.ts';
import type { Datatype, NamedTensor } from '../../../shared/schema/tensor.ts';
import { encodeElements } from '../../../shared/schema/tensor-elements.ts';

const encoder = new TextEncoder();

export function tensorsFromResult(result: InferResult): readonly NamedTensor[] {
  const predictions = result.items.map((item) => item.prediction);
  const [first] = predictions;
  switch (first?.kind) {
    case undefined:
      return [];
    case 'class': {
      const classes = ofKind(predictions, 'class');
      return [
        tensor(
          'label',
          'BYTES',
          [classes.length],
          classes.map(({ label }) => label),
        ),
        tensor(
          'confidence',
          'FP32',
          [classes.length],
          classes.map(({ confidence }) => confidence),
        ),
      ];
    }
    case 'embedding': {
      const vectors = ofKind(predictions, 'embedding').map(({ embedding }) => embedding);
      return [tensor('embedding', 'FP32', [vectors.length, first.embedding.length], vectors.flat())];
    }
    case 'tensors':
      return first.outputs;
    case 'text':
      return [tensor('text', 'BYTES', [1], [first.text])];
  }
}

function ofKind<K extends Prediction['kind']>(
  predictions: readonly Prediction[],
  kind: K,
): readonly Extract<Prediction, { kind: K }>[] {
  return predictions.filter((one): one is Extract<Prediction, { kind: K }> => one.kind === kind);
}

function tensor(name: string, datatype: Datatype, shape: readonly number[], elements: readonly unknown[]): NamedTensor {
  return { name, datatype, shape, bytes: encodeElements(datatype, elements, (text) => encoder.encode(text)) };
}
