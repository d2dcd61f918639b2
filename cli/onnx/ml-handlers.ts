// Owns the operators of ai.onnx.ml that scikit-learn's exports are made of.

import { constant } from './constant.ts';
import { scaledAndShifted } from './affine.ts';
import { unary } from './arithmetic-handlers.ts';
import type { Matrix } from './expression.ts';
import { linear } from './layer-handlers.ts';
import { scaledRows } from './matrix.ts';
import type { Handler, Operation } from './value.ts';
import { viewed } from './value.ts';

function scaler(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  const width = view.dims.at(-1) ?? 1;
  const spread = (name: string, otherwise: number): Float32Array => {
    const list = operation.attribute(name)?.numbers ?? [];
    if (![0, 1, width].includes(list.length)) throw operation.corrupt(`has ${list.length} of ${name} for ${width}`);
    return Float32Array.from({ length: width }, (_, i) => list[list.length === 1 ? 0 : i] ?? otherwise);
  };
  const [scale, offset] = [spread('scale', 1), spread('offset', 0)];
  const shift = scale.map((by, i) => -by * (offset[i] ?? 0));
  return viewed(
    scaledAndShifted(view, constant('float', [width], scale), constant('float', [width], shift), operation.name),
  );
}

/** Labels, and scores after `post_transform`. */
function linearClassifier(operation: Operation): ReturnType<Handler> {
  const intercepts = operation.attribute('intercepts')?.numbers ?? [];
  const coefficients = operation.attribute('coefficients')?.numbers ?? [];
  const transform = operation.attribute('post_transform')?.text ?? 'NONE';
  const outputs = intercepts.length;
  if (outputs < 2 || coefficients.length % outputs !== 0) throw operation.refuse(`has ${outputs} intercepts`);
  let weights: Matrix = {
    outputs,
    inputs: coefficients.length / outputs,
    values: Float32Array.from(coefficients),
    exact: null,
  };
  let bias = Float32Array.from(intercepts);
  if (transform === 'LOGISTIC') {
    const opposite = weights.values.every(
      (w, i) => i >= weights.inputs || w === -(weights.values[i + weights.inputs] ?? 0),
    );
    if (outputs !== 2 || !opposite || intercepts[0] !== -(intercepts[1] ?? 0))
      throw operation.refuse('is one against the rest: use the multinomial form');
    // The logistic function of z is softmax over -z / 2 and z / 2.
    weights = scaledRows(weights, () => 0.5);
    bias = bias.map((value) => value / 2);
  } else if (transform !== 'SOFTMAX' && transform !== 'NONE') throw operation.refuse(`ends in ${transform}`);
  const view = linear(operation, operation.view(0), weights, bias);
  return [undefined, viewed(transform === 'NONE' ? view : unary(view, 'softmax', operation.name))];
}

/** Softmax sums to one already. */
function normalizer(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  const isSoftmax = view.of.op === 'unary' && view.of.kind === 'softmax';
  if (operation.attribute('norm')?.text !== 'L1' || !isSoftmax) throw operation.refuse('normalizes');
  return viewed(view);
}

export const ML_HANDLERS: Readonly<Record<string, Handler>> = {
  Scaler: scaler,
  LinearClassifier: linearClassifier,
  Normalizer: normalizer,
  ZipMap: (operation) => viewed(operation.view(0)),
};
