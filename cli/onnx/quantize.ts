// Owns making integers of the layers' weights, one scale for each output, and naming the tensors of the file.

import type { ConvWeights, Matrix } from './expression.ts';
import type { Layer } from './layer.ts';
import { unsupported } from './onnx-error.ts';

export type FileTensor = {
  readonly dtype: 'i8' | 'i4' | 'f32' | 'u8';
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
};
export type FileGraph = { readonly graph: Record<string, unknown>[]; readonly tensors: Map<string, FileTensor> };

export type Precision = {
  /** Of weights that the file has as floats. */
  readonly bits: 8 | 4;
  readonly arithmetic: 'auto' | 'f32' | 'int8';
  /** The table of word pieces, half a small encoder's size and the least touched by rounding, in four bits whatever the file has. */
  readonly tableBits?: 4;
};

/** From this many products on, integers are worth quantizing a vector for. */
const INTEGER_PRODUCTS = 8192;

export function quantized(layers: readonly Layer[], precision: Precision): FileGraph {
  const tensors = new Map<string, FileTensor>();
  const float = (name: string, values: Float32Array, shape: readonly number[] = [values.length]): string => {
    if (!values.every(Number.isFinite)) throw unsupported(`${name} holds NaN or infinity`);
    tensors.set(name, { dtype: 'f32', shape, bytes: new Uint8Array(values.slice().buffer) });
    return name;
  };
  const weighted = (
    name: string,
    weights: Matrix | ConvWeights,
    shape: readonly number[],
    wanted: 8 | 4 = precision.bits,
  ): Record<string, unknown> => {
    const rows = shape[0] ?? 1;
    const bits = weights.exact === null && (shape.at(-1) ?? 1) % 2 === 0 ? wanted : 8;
    const { q, scales } = weights.exact ?? quantizeRows(name, weights.values, rows, bits);
    const bytes = bits === 4 ? packedPairs(q) : new Uint8Array(q.slice().buffer);
    tensors.set(name, { dtype: bits === 4 ? 'i4' : 'i8', shape, bytes });
    return { weights: name, scales: float(`${name}.scales`, Float32Array.from(scales)) };
  };
  const graph = layers.map((layer, i): Record<string, unknown> => {
    const name = `${i}.${layer.op}`;
    switch (layer.op) {
      case 'token_embedding': {
        const { outputs, inputs } = layer.table;
        const table = precision.tableBits === undefined ? layer.table : { ...layer.table, exact: null };
        const positions = float(`${name}.positions`, layer.positions, [layer.tokens, inputs]);
        return { op: layer.op, ...weighted(name, table, [outputs, inputs], precision.tableBits), positions };
      }
      case 'dense': {
        const { outputs, inputs } = layer.weights;
        const parts = weighted(name, layer.weights, [outputs, inputs]);
        const arithmetic = denseArithmetic(layer, precision, inputs * outputs);
        return {
          op: layer.op,
          ...parts,
          bias: float(`${name}.bias`, layer.bias),
          activation: layer.activation,
          arithmetic,
        };
      }
      case 'conv2d': {
        const { shape } = layer.weights;
        const parts = weighted(name, layer.weights, shape);
        const arithmetic = layer.depthwise ? 'f32' : arithmeticOf(precision, true, 0);
        const { stride, padding, depthwise, activation } = layer;
        const bias = float(`${name}.bias`, layer.bias);
        return { op: layer.op, ...parts, bias, stride, padding, depthwise, activation, arithmetic };
      }
      case 'layer_norm': {
        const [gamma, beta] = [float(`${name}.gamma`, layer.gamma), float(`${name}.beta`, layer.beta)];
        return { op: layer.op, gamma, beta, epsilon: layer.epsilon };
      }
      case 'affine':
        throw unsupported('a scale that no layer can take');
      case 'activation':
      case 'attention':
      case 'flatten':
      case 'global_avg_pool':
      case 'max_pool2d':
      case 'residual_add':
      case 'residual_start':
      case 'residual_swap':
      case 'sequence_pool':
        return { ...layer };
      default:
        return layer satisfies never;
    }
  });
  return { graph, tensors };
}

function denseArithmetic(
  { isSequence, dynamic }: Extract<Layer, { op: 'dense' }>,
  precision: Precision,
  products: number,
): 'f32' | 'int8' | 'int8_shared' {
  if (isSequence) return dynamic ? 'int8_shared' : 'int8';
  return dynamic && precision.arithmetic === 'auto' ? 'int8' : arithmeticOf(precision, false, products);
}

/** An image's values are used many times over, a vector's once. */
function arithmeticOf({ arithmetic }: Precision, isImage: boolean, products: number): 'f32' | 'int8' {
  if (arithmetic !== 'auto') return arithmetic;
  return isImage || products >= INTEGER_PRODUCTS ? 'int8' : 'f32';
}

/** Symmetric: -127..127, or -8..7. */
function quantizeRows(
  name: string,
  values: Float32Array,
  rows: number,
  bits: 8 | 4,
): { q: Int8Array; scales: Float32Array } {
  const run = values.length / rows;
  const [q, scales] = [new Int8Array(values.length), new Float32Array(rows)];
  for (let row = 0; row < rows; row += 1) {
    const rowValues = values.subarray(row * run, (row + 1) * run);
    const largest = rowValues.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (!Number.isFinite(largest)) throw unsupported(`${name} holds NaN or infinity`);
    const scale = largest === 0 ? 1 : bits === 8 ? Math.fround(largest / 127) : scaleOfFourBits(rowValues, largest);
    scales[row] = scale;
    for (let i = 0; i < run; i += 1) q[row * run + i] = levelOf(rowValues[i] ?? 0, scale, bits);
  }
  return { q, scales };
}

function levelOf(value: number, scale: number, bits: 8 | 4): number {
  const level = Math.round(value / scale);
  return bits === 8 ? Math.min(127, Math.max(-127, level)) : Math.min(7, Math.max(-8, level));
}

/** With sixteen levels, cutting a row's few largest values off is often worth the finer steps: the least squared error of a few scales. */
function scaleOfFourBits(values: Float32Array, largest: number): number {
  let [best, leastError] = [largest / 7, Infinity];
  for (let share = 1; share >= 0.5; share -= 0.05) {
    const scale = Math.fround((share * largest) / 7);
    let error = 0;
    for (const value of values) error += (levelOf(value, scale, 4) * scale - value) ** 2;
    if (error < leastError) [best, leastError] = [scale, error];
  }
  return best;
}

function packedPairs(q: Int8Array): Uint8Array {
  return Uint8Array.from(
    { length: q.length / 2 },
    (_, i) => ((q[2 * i] ?? 0) & 15) | (((q[2 * i + 1] ?? 0) & 15) << 4),
  );
}
