/**
 * `hybrid models answer`: what the engine answers to each example of a file, one JSON line each: a classifier's raw scores too, as calibration and tests need them.
 */
import type { EdgeModel } from './edge-model.ts';
import { openEdgeModel } from './edge-model.ts';
import type { Example } from './examples.ts';
import { readExamples } from './examples.ts';

/** Enough for a float32, without its noise. */
const DIGITS = 7;

export async function answerInputs(file: string, flags: { readonly inputs: string }): Promise<string> {
  const edge = await openEdgeModel(file);
  return (await readExamples(flags.inputs)).map((example) => JSON.stringify(answer(edge, example))).join('\n');
}

function answer({ model }: EdgeModel, { input, label }: Example): Record<string, unknown> {
  const scores = Array.from(model.logits(input), (score) => Number(score.toPrecision(DIGITS)));
  if (model.info.task === 'sentence_embedding') return { vector: scores };
  const { label: answered, confidence } = model.classify(input);
  return { ...(label === null ? {} : { expected: label }), label: answered, confidence, logits: scores };
}
