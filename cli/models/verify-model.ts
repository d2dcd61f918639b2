/**
 * `hybrid models verify`: a .hyb file against its ONNX file, input by input. Errors are relative to the largest score of an answer.
 */
import type { ModelInput } from '../../worker/engine/model.ts';
import type { Report } from '../operator/terminal.ts';
import { UserError } from '../user-error.ts';
import { indexOfLargest } from './calibrate.ts';
import type { EdgeModel } from './edge-model.ts';
import { openEdgeModel } from './edge-model.ts';
import { randomFrom, randomImage, randomText, readExamples } from './examples.ts';
import type { OriginalFlags, OriginalModel } from './original-model.ts';
import { openOriginal } from './original-model.ts';

export type VerifyFlags = OriginalFlags & {
  readonly against: string;
  readonly inputs?: string;
  readonly count: number;
  readonly seed: number;
  readonly minAgreement: number;
};

export type Comparison = {
  readonly inputs: number;
  readonly agreementRatio: number;
  readonly largestError: number;
  readonly medianError: number;
};

export async function verifyModel(file: string, flags: VerifyFlags): Promise<Report> {
  const edge = await openEdgeModel(file);
  const original = await openOriginal(flags.against, flags, edge.wordPieces);
  const inputs = await inputsOf(edge, flags);
  const { agreementRatio, largestError, medianError } = await compare(edge, original, inputs);
  const text = [
    `inputs         ${inputs.length} ${flags.inputs === undefined ? 'random' : `of ${flags.inputs}`}`,
    `same answer    ${(100 * agreementRatio).toFixed(2)} %`,
    `largest error  ${largestError.toPrecision(3)} of the largest score, median ${medianError.toPrecision(3)}`,
  ].join('\n');
  if (agreementRatio < flags.minAgreement) throw new UserError(`${text}\nless agreement than ${flags.minAgreement}`);
  const value = {
    inputs: inputs.length,
    agreement_ratio: agreementRatio,
    largest_error: largestError,
    median_error: medianError,
  };
  return { value, text };
}

export async function inputsOf(
  { header, wordPieces }: EdgeModel,
  flags: { readonly inputs?: string; readonly count: number; readonly seed?: number },
): Promise<ModelInput[]> {
  if (flags.inputs !== undefined) return (await readExamples(flags.inputs)).map(({ input }) => input);
  const random = randomFrom(flags.seed ?? 1);
  const { input } = header;
  if (input.kind === 'image') {
    const values = input.height * input.width * input.channels;
    return Array.from({ length: flags.count }, () => randomImage(values, random));
  }
  if (wordPieces === null)
    throw new UserError('Random texts need word pieces, which this model does not have: give a file of examples.');
  const { pieces, maxTokens } = wordPieces;
  return Array.from({ length: flags.count }, () => randomText(pieces, maxTokens - 2, random));
}

export async function compare(
  edge: EdgeModel,
  original: OriginalModel,
  inputs: readonly ModelInput[],
): Promise<Comparison> {
  const isSoftmax = original.original.outputKind === 'softmax';
  const errors: number[] = [];
  let agreements = 0;
  for (const input of inputs) {
    const expected = probabilitiesOr(await original.ask(input), isSoftmax);
    const logits = edge.model.logits(input);
    const actual = isSoftmax ? softmax(logits) : logits;
    if (actual.length !== expected.length)
      throw new UserError(`The files have ${actual.length} and ${expected.length} scores.`);
    const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), Number.MIN_VALUE);
    errors.push(expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (actual[i] ?? 0))), 0) / largest);
    if (indexOfLargest(actual) === indexOfLargest(expected)) agreements += 1;
  }
  const sorted = errors.toSorted((a, b) => a - b);
  return {
    inputs: inputs.length,
    agreementRatio: agreements / Math.max(1, inputs.length),
    largestError: sorted.at(-1) ?? 0,
    medianError: sorted[Math.floor(sorted.length / 2)] ?? 0,
  };
}

/** Logarithms of probabilities become probabilities, and one probability becomes two. */
function probabilitiesOr(scores: Float32Array, isSoftmax: boolean): Float32Array {
  if (!isSoftmax) return scores;
  const [only] = scores;
  if (scores.length === 1 && only !== undefined) return Float32Array.of(1 - only, only);
  return scores.some((score) => score < 0) ? scores.map(Math.exp) : scores;
}

function softmax(logits: Float32Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
