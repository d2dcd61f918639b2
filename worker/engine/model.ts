// Owns one loaded model: input in, classification or vector out, over memory allocated once. Loading is engine.ts.

import { EngineInputError, EngineOutputError } from './errors.ts';
import type { ModelHeader, Task } from './header.ts';
import { softmax } from './light-operators.ts';
import type { Machine } from './machine.ts';
import type { Program } from './program.ts';
import type { TextReader } from './text-input.ts';

export type ModelInput =
  | { readonly kind: 'text'; readonly text: string }
  /** Values 0..1, row-major: height, width, channels. */
  | { readonly kind: 'image'; readonly pixels: Float32Array };

type Classification = {
  readonly labelIndex: number;
  readonly label: string;
  /** Calibrated probability of the label. */
  readonly confidence: number;
  readonly probabilities: Float32Array;
  /** The text was longer than the model reads. */
  readonly truncated: boolean;
};

type Embedding = {
  /** Of length one, or all zeros where the model knows nothing of the text. */
  readonly vector: Float32Array;
  readonly truncated: boolean;
};

type ModelInfo = {
  readonly model: string;
  readonly variant: string;
  readonly version: string;
  readonly task: Task;
  /** Empty for an embedding. */
  readonly labels: readonly string[];
  /** How many logits, or an embedding's dimensions. */
  readonly outputs: number;
  readonly outOfScopeLabel: string | null;
  readonly sizeBytes: number;
  readonly workingBytes: number;
};

export type EngineModel = {
  readonly info: ModelInfo;
  /** Of a classifier. */
  classify(input: ModelInput): Classification;
  /** Of an embedding model. */
  embed(input: ModelInput): Embedding;
  /** A copy of what the last operator made, before temperature: for comparing with other runtimes. */
  logits(input: ModelInput): Float32Array;
};

type Parts = {
  readonly info: ModelInfo;
  readonly header: ModelHeader;
  readonly program: Program;
  readonly machine: Machine;
  readonly readText: TextReader | null;
};

export function createModel({ info, header, program, machine, readText }: Parts): EngineModel {
  function readInput(text: string): boolean {
    if (header.input.kind !== 'text' || readText === null) throw new EngineInputError(`${info.model} takes an image`);
    const kept = firstCodePoints(text, header.input.maxChars);
    return readText(machine, kept) || kept.length < text.length;
  }

  function readPixels(pixels: Float32Array): boolean {
    if (header.input.kind !== 'image') throw new EngineInputError(`${info.model} takes a text`);
    const { height, width, channels } = header.input.image;
    if (pixels.length !== height * width * channels) {
      throw new EngineInputError(`${info.model} takes ${height}x${width}x${channels} values, not ${pixels.length}`);
    }
    // By index: iterating a typed array costs more than a small model's whole answer.
    for (let i = 0; i < pixels.length; i += 1) {
      const value = pixels[i] ?? Number.NaN;
      if (!(value >= 0 && value <= 1)) throw new EngineInputError(`${info.model} takes values from 0 to 1`);
    }
    machine.f32.set(pixels, program.inputOffset >> 2);
    return false;
  }

  /** Valid until the next call. */
  function run(input: ModelInput): { logits: Float32Array; truncated: boolean } {
    const truncated = input.kind === 'text' ? readInput(input.text) : readPixels(input.pixels);
    const offset = program.run(machine) >> 2;
    const logits = machine.f32.subarray(offset, offset + info.outputs);
    if (!allFinite(logits)) throw new EngineOutputError(`${info.model} overflows on this input`);
    return { logits, truncated };
  }

  return {
    info,
    classify(input) {
      if (info.task === 'sentence_embedding') throw new EngineInputError(`${info.model} gives vectors, not labels`);
      const { logits, truncated } = run(input);
      const probabilities = softmax(logits, header.temperature);
      let labelIndex = 0;
      for (let i = 1; i < logits.length; i += 1) if ((logits[i] ?? 0) > (logits[labelIndex] ?? 0)) labelIndex = i;
      const label = info.labels[labelIndex] ?? '';
      return { labelIndex, label, confidence: probabilities[labelIndex] ?? 0, probabilities, truncated };
    },
    embed(input) {
      if (info.task !== 'sentence_embedding') throw new EngineInputError(`${info.model} gives labels, not vectors`);
      const { logits, truncated } = run(input);
      return { vector: logits.slice(), truncated };
    },
    logits: (input) => run(input).logits.slice(),
  };
}

function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i += 1) if (!Number.isFinite(values[i])) return false;
  return true;
}

function firstCodePoints(text: string, max: number): string {
  if (text.length <= max) return text;
  let end = 0;
  for (let count = 0; count < max && end < text.length; count += 1)
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  return text.slice(0, end);
}
