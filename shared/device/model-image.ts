/**
 * The model file of a microcontroller, `.hymc`: a fixed header, a record a layer, then weights that are used where they
 * lie. Everything is an integer but the scales at both ends. Owns the bytes and every check that keeps a reader inside them;
 * devices/mcu/IMAGE.md says the same for other readers, run-image.ts computes with it.
 */

export type ImageLayer = {
  readonly op: 'conv2d' | 'dense' | 'max_pool2d' | 'average_pool';
  readonly input: Box;
  readonly output: Box;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [y: number, x: number];
  /** Rows and columns of zeros before the image. */
  readonly pad: readonly [top: number, left: number];
  readonly inputZero: number;
  readonly outputZero: number;
  /** Least integer that may come out: the output's zero where the layer is a ReLU. */
  readonly outputLeast: number;
  /** Absent for pools. [out, kernel height, kernel width, in], or [out, in]. */
  readonly weights: Int8Array | undefined;
  readonly bias: Int32Array | undefined;
  /** output = round(accumulator * multiplier / 2^shift) + outputZero; absent in the last layer. */
  readonly multiplier: Int32Array | undefined;
  readonly shift: Uint8Array | undefined;
  /** Only in the last layer: logit = accumulator * scale. */
  readonly scale: Float32Array | undefined;
};

export type Box = { readonly height: number; readonly width: number; readonly channels: number };

export type ModelImage = {
  /** `model/variant`. */
  readonly name: string;
  readonly input: Box;
  readonly inputScale: number;
  readonly inputZero: number;
  readonly labels: number;
  readonly temperature: number;
  readonly layers: readonly ImageLayer[];
};

export class ImageError extends Error {
  override readonly name = 'ImageError';
}

const MAGIC = 0x434d5948; // 'HYMC', little endian
const VERSION = 1;
const HEADER_BYTES = 64;
const LAYER_BYTES = 48;
const NAME_AT = 40;
const NAME_BYTES = 24;
const MAX_LAYERS = 16;
const OPS = ['conv2d', 'dense', 'max_pool2d', 'average_pool'] as const;
/** With it an accumulator of 30 bits times a multiplier stays below 2^53, so that doubles compute what int64 does. */
export const MULTIPLIER_BITS = 22;
export const MAX_ACCUMULATOR = 2 ** 30;
const MAX_SHIFT = 50;

export function writeImage(image: ModelImage): Uint8Array<ArrayBuffer> {
  const blocks: { at: number; bytes: Uint8Array }[] = [];
  let end = HEADER_BYTES + LAYER_BYTES * image.layers.length;
  const place = (values: Int8Array | Int32Array | Uint8Array | Float32Array | undefined): number => {
    if (values === undefined) return 0;
    const at = end;
    blocks.push({ at, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
    end = (end + values.byteLength + 3) & ~3;
    return at;
  };
  const offsets = image.layers.map((layer) => ({
    weights: place(layer.weights),
    bias: place(layer.bias),
    multiplier: place(layer.scale ?? layer.multiplier),
    shift: place(layer.shift),
  }));
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, image.layers.length, true);
  view.setUint32(8, end, true);
  view.setUint32(12, scratchBytes(image), true);
  writeBox(view, 16, image.input);
  view.setUint16(22, image.labels, true);
  view.setFloat32(24, image.inputScale, true);
  view.setInt16(28, image.inputZero, true);
  view.setFloat32(32, image.temperature, true);
  for (let index = 0; index < image.name.length; index += 1) bytes[NAME_AT + index] = image.name.charCodeAt(index);
  image.layers.forEach((layer, index) => {
    const at = HEADER_BYTES + LAYER_BYTES * index;
    view.setUint8(at, OPS.indexOf(layer.op) + 1);
    view.setUint8(at + 1, layer.scale === undefined ? 0 : 1);
    view.setInt8(at + 2, layer.outputZero);
    view.setInt8(at + 3, layer.outputLeast);
    writeBox(view, at + 4, layer.input);
    writeBox(view, at + 10, layer.output);
    [...layer.kernel, ...layer.stride, ...layer.pad].forEach((value, field) => view.setUint8(at + 16 + field, value));
    view.setInt8(at + 22, layer.inputZero);
    const placed = offsets[index] ?? { weights: 0, bias: 0, multiplier: 0, shift: 0 };
    [placed.weights, placed.bias, placed.multiplier, placed.shift].forEach((offset, field) =>
      view.setUint32(at + 24 + 4 * field, offset, true),
    );
  });
  for (const { at, bytes: block } of blocks) bytes.set(block, at);
  // What is written can be read: a model that breaks a rule never leaves here.
  readImage(bytes);
  return bytes;
}

/** What must lie side by side while a layer runs: its input and its output, a byte a value. */
export function scratchBytes(image: Pick<ModelImage, 'layers'>): number {
  return image.layers.reduce((most, { input, output }) => Math.max(most, sizeOf(input) + sizeOf(output)), 0);
}

/** @throws ImageError and nothing else, whatever the bytes are */
export function readImage(bytes: Uint8Array): ModelImage {
  check(bytes.length >= HEADER_BYTES, 'shorter than its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(view.getUint32(0, true) === MAGIC, 'no HYMC magic');
  check(view.getUint16(4, true) === VERSION, `version ${view.getUint16(4, true)} is not supported`);
  const count = view.getUint16(6, true);
  check(count >= 1 && count <= MAX_LAYERS, `${count} layers`);
  check(view.getUint32(8, true) === bytes.length, 'its length is not what it says');
  check(bytes.length >= HEADER_BYTES + LAYER_BYTES * count, 'shorter than its layers');
  const input = readBox(view, 16);
  const labels = view.getUint16(22, true);
  const inputScale = view.getFloat32(24, true);
  const inputZero = view.getInt16(28, true);
  const temperature = view.getFloat32(32, true);
  check(inputScale > 0 && Number.isFinite(inputScale), 'an input scale that is not above zero');
  check(temperature > 0 && Number.isFinite(temperature), 'a temperature that is not above zero');
  check(inputZero >= -128 && inputZero <= 127, 'an input zero beyond 8 bits');
  check(labels >= 2, 'fewer than two labels');
  let flow = input;
  let zero = inputZero;
  const layers = Array.from({ length: count }, (_unused, index) => {
    const layer = readLayer(bytes, view, HEADER_BYTES + LAYER_BYTES * index, index === count - 1);
    const size = layer.op === 'dense' ? sizeOf(flow) === sizeOf(layer.input) : sameBox(flow, layer.input);
    check(size && layer.inputZero === zero, `layer ${index} does not take what comes before it`);
    flow = layer.output;
    zero = layer.outputZero;
    return layer;
  });
  check(sizeOf(flow) === labels, 'as many outputs as labels are needed');
  const image = { name: nameOf(bytes), input, inputScale, inputZero, labels, temperature, layers };
  check(view.getUint32(12, true) === scratchBytes(image), 'its scratch memory is not what it says');
  return image;
}

function readLayer(bytes: Uint8Array, view: DataView, at: number, isLast: boolean): ImageLayer {
  const op = OPS[view.getUint8(at) - 1];
  if (op === undefined) throw new ImageError(`operator ${view.getUint8(at)}`);
  check(view.getUint8(at + 1) === (isLast ? 1 : 0), 'scales where there are none, or none in the last layer');
  const [input, output] = [readBox(view, at + 4), readBox(view, at + 10)];
  const field = (index: number): number => view.getUint8(at + 16 + index);
  const shape = {
    op,
    input,
    output,
    kernel: [field(0), field(1)],
    stride: [field(2), field(3)],
    pad: [field(4), field(5)],
    inputZero: view.getInt8(at + 22),
    outputZero: view.getInt8(at + 2),
    outputLeast: view.getInt8(at + 3),
  } as const;
  checkShape(shape);
  const channels = output.channels;
  const offset = (index: number): number => view.getUint32(at + 24 + 4 * index, true);
  if (op === 'max_pool2d' || op === 'average_pool') {
    check(!isLast, 'a pool as the last layer');
    check(shape.inputZero === shape.outputZero, 'a pool that changes its zero');
    return { ...shape, weights: undefined, bias: undefined, multiplier: undefined, shift: undefined, scale: undefined };
  }
  const depth = op === 'dense' ? sizeOf(input) : shape.kernel[0] * shape.kernel[1] * input.channels;
  check(depth * 128 * 255 < MAX_ACCUMULATOR, 'an accumulator that may overflow');
  const weights = new Int8Array(take(bytes, offset(0), channels * depth));
  const bias = new Int32Array(take(bytes, offset(1), 4 * channels));
  check(
    bias.every((value) => Math.abs(value) + depth * 128 * 255 < MAX_ACCUMULATOR),
    'an accumulator that may overflow',
  );
  if (isLast) {
    const scale = new Float32Array(take(bytes, offset(2), 4 * channels));
    check(
      scale.every((value) => value > 0 && Number.isFinite(value)),
      'a scale that is not above zero',
    );
    return { ...shape, weights, bias, multiplier: undefined, shift: undefined, scale };
  }
  const multiplier = new Int32Array(take(bytes, offset(2), 4 * channels));
  const shift = new Uint8Array(take(bytes, offset(3), channels));
  check(
    multiplier.every((value) => value >= 0 && value < 2 ** MULTIPLIER_BITS),
    'a multiplier out of range',
  );
  check(
    shift.every((value) => value >= 1 && value <= MAX_SHIFT),
    'a shift out of range',
  );
  return { ...shape, weights, bias, multiplier, shift, scale: undefined };
}

function checkShape(layer: Pick<ImageLayer, 'op' | 'input' | 'output' | 'kernel' | 'stride' | 'pad'>): void {
  const { op, input, output, kernel, stride, pad } = layer;
  check(sizeOf(input) <= 65_535 && sizeOf(output) <= 65_535, 'more than 65,535 values');
  if (op === 'dense') return check(output.height === 1 && output.width === 1, 'a dense layer that makes an image');
  if (op === 'average_pool') {
    return check(
      output.height === 1 && output.width === 1 && output.channels === input.channels,
      'an average of something else than the whole image',
    );
  }
  check(
    [...kernel, ...stride].every((value) => value >= 1),
    'a window of no size',
  );
  check(pad[0] < kernel[0] && pad[1] < kernel[1], 'a window that sees only zeros');
  // The last window begins inside the image, so that each sees at least one pixel.
  check((output.height - 1) * stride[0] - pad[0] < input.height, 'rows beyond the image');
  check((output.width - 1) * stride[1] - pad[1] < input.width, 'columns beyond the image');
  if (op === 'conv2d') return;
  check(pad[0] === 0 && pad[1] === 0 && output.channels === input.channels, 'a pool with zeros or other channels');
  check((output.height - 1) * stride[0] + kernel[0] <= input.height, 'rows beyond the image');
  check((output.width - 1) * stride[1] + kernel[1] <= input.width, 'columns beyond the image');
}

/** A copy, aligned whatever the buffer's own offset. */
function take(bytes: Uint8Array, offset: number, length: number): ArrayBuffer {
  check(offset % 4 === 0 && offset >= HEADER_BYTES && offset + length <= bytes.length, 'values outside the file');
  return bytes.slice(offset, offset + length).buffer;
}

function writeBox(view: DataView, at: number, { height, width, channels }: Box): void {
  view.setUint16(at, height, true);
  view.setUint16(at + 2, width, true);
  view.setUint16(at + 4, channels, true);
}

function readBox(view: DataView, at: number): Box {
  const box = {
    height: view.getUint16(at, true),
    width: view.getUint16(at + 2, true),
    channels: view.getUint16(at + 4, true),
  };
  check(sizeOf(box) >= 1, 'an image of no size');
  return box;
}

function nameOf(bytes: Uint8Array): string {
  let name = '';
  for (let index = 0; index < NAME_BYTES; index += 1) {
    const code = bytes[NAME_AT + index] ?? 0;
    if (code === 0) break;
    check(code >= 0x20 && code <= 0x7e, 'a name that is not ASCII');
    name += String.fromCharCode(code);
  }
  return name;
}

export function sizeOf({ height, width, channels }: Box): number {
  return height * width * channels;
}

function sameBox(left: Box, right: Box): boolean {
  return left.height === right.height && left.width === right.width && left.channels === right.channels;
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new ImageError(`The device model is refused: ${problem}.`);
}
