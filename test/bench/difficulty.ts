/**
 * `npm run bench:difficulty -- [--seeds N] [--folds N] [--write]`: how well the difficulty estimate finds the questions worth a
 * large model, cross-validated, one JSON line each, and how fast it scores. `--write` trains the file that ships.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Question } from '../../cli/difficulty/question-rows.ts';
import { readQuestions } from '../../cli/difficulty/question-rows.ts';
import { routingFigures, upliftOf } from '../../cli/difficulty/routing-curve.ts';
import { calibration, crossValidated, GRAMS, headerOf, train } from '../../cli/difficulty/train-difficulty.ts';
import { createEstimate, writeDifficulty } from '../../shared/difficulty/estimate-difficulty.ts';
import { crossValidatedAnswers, isAnswered } from '../../cli/difficulty/train-answer.ts';
import { seeded } from './seeded.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    folds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
});
const folder = new URL('../../models/difficulty/', import.meta.url);
const fileOf = (name: string): string => fileURLToPath(new URL(name, folder));
const ROUNDS = 3;

function print(figure: string, fields: object): void {
  console.log(JSON.stringify({ figure, ...fields }));
}

function rounded(figures: object): object {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(Number(value).toFixed(4))]));
}

/** Of each tenth of the questions, easiest first: what was estimated, and how much more often the large model was right. */
function tenths(scores: Float64Array, questions: readonly Question[]): { estimated: number; found: number }[] {
  const order = questions.map((_, i) => i).toSorted((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  const mean = (rows: readonly number[], of: (row: number) => number): number =>
    Number((rows.reduce((sum, row) => sum + of(row), 0) / rows.length).toFixed(3));
  return Array.from({ length: 10 }, (_, tenth) => {
    const rows = order.filter((__, at) => Math.floor((10 * at) / order.length) === tenth);
    return { estimated: mean(rows, (row) => scores[row] ?? 0), found: mean(rows, (row) => upliftOf(questions[row])) };
  });
}

const FIGURES = ['apgr', 'cpt50', 'cpt80'] as const;

/** Prints the mean over shuffles, and the least and the most. @returns the scores of each shuffle */
function printFigures(
  name: string,
  questions: readonly Question[],
  scoresOf: (random: () => number) => Float64Array,
): Float64Array[] {
  const runs = Array.from({ length: Number(values.seeds) }, (_, seed) => scoresOf(seeded(seed + 1)));
  const figures = runs.map((scores) => routingFigures(scores, questions));
  const of = (reduced: (all: number[]) => number): object =>
    rounded(Object.fromEntries(FIGURES.map((figure) => [figure, reduced(figures.map((found) => found[figure]))])));
  print(name, {
    rows: questions.length,
    folds: Number(values.folds),
    shuffles: runs.length,
    ...of((all) => all.reduce((sum, value) => sum + value, 0) / all.length),
    least: of((all) => Math.min(...all)),
    most: of((all) => Math.max(...all)),
  });
  return runs;
}

for (const name of ['mmlu', 'gsm8k']) {
  const questions = await readQuestions(fileOf(`${name}.csv.gz`));
  const folds = Number(values.folds);
  const runs = printFigures(`${name}, prompt alone`, questions, (random) => crossValidated(questions, folds, random));
  const answered = questions.filter(isAnswered);
  if (answered.length > 0)
    printFigures(`${name}, weak answer read`, answered, (random) => crossValidatedAnswers(answered, folds, random));
  const [scores = new Float64Array()] = runs;
  if (name !== 'mmlu') continue;
  const fitted = calibration(scores, questions);
  const calibrated = scores.map((score) => fitted.intercept + fitted.slope * score);
  print('calibration', { ...rounded(fitted), tenths: tenths(calibrated, questions) });
  const everything = train(
    questions,
    questions.map((_, i) => i),
    GRAMS,
  );
  const header = headerOf(everything, fitted);
  if (values.write) writeFileSync(fileOf('uplift.hyd'), writeDifficulty(header, everything.weights));
  const estimate = createEstimate(header, everything.weights);
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedMs = performance.now();
    for (const { prompt } of questions) estimate(prompt);
    const seconds = (performance.now() - startedMs) / 1000;
    const characters = questions.reduce((sum, { prompt }) => sum + prompt.length, 0) / questions.length;
    if (round === ROUNDS - 1)
      print('speed', {
        scores_per_second: Math.round(questions.length / seconds),
        mean_characters: Math.round(characters),
      });
  }
}
