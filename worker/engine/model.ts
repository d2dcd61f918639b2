// Owns one loaded model: input in, classification out, over memory allocated once. Loading is engine.ts.

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

type ModelInfo = {
  readonly model: string;
  readonly variant: string;
  readonly version: string;
  readonly task: Task;
  readonly labels: readonly string[];
  readonly outOfScopeLabel: string | null;
  readonly sizeBytes: number;
  readonly workingBytes: number;
};

export type EngineModel = {
  readonly info: ModelInfo;
  classify(input: ModelInput): Classification;
  /** A copy of the raw scores, one a label, before temperature: for comparing with other runtimes. */
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
    const logits = machine.f32.subarray(offset, offset + info.labels.length);
    if (!allFinite(logits)) throw new EngineOutputError(`${info.model} overflows on this input`);
    return { logits, truncated };
  }

  return {
    info,
    classify(input) {
      const { logits, truncated } = run(input);
      const probabilities = softmax(logits, header.temperature);
      let labelIndex = 0;
      for (let i = 1; i < logits.length; i += 1) if ((logits[i] ?? 0) > (logits[labelIndex] ?? 0)) labelIndex = i;
      const label = info.labels[labelIndex] ?? '';
      return { labelIndex, label, confidence: probabilities[labelIndex] ?? 0, probabilities, truncated };
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
