/**
 * Training the score of answers read: one least squares over the signs of an answer and the n-grams of question and answer.
 */
import { answerSigns } from '../../shared/difficulty/answer-signs.ts';
import type { AnswerModel } from '../../shared/difficulty/score-answer.ts';
import { createScoreAnswer, standardSigns } from '../../shared/difficulty/score-answer.ts';
import type { GramSpec } from '../../shared/difficulty/text-grams.ts';
import type { Question } from './question-rows.ts';
import { gramRows } from './question-rows.ts';
import type { SparseRows } from './ridge.ts';
import { ridge } from './ridge.ts';
import { upliftOf } from './routing-curve.ts';
import { inFolds } from './train-difficulty.ts';

const ANSWER_GRAMS: GramSpec = { bits: 17, sizes: [2, 7], max_chars: 4000 };
/** Of n-grams; a sign's is that over the square of its scale. */
const PENALTY = 100;
const SIGN_SCALE = 0.5;

export type AnsweredQuestion = Question & { readonly weakAnswer: string };

export function isAnswered(question: Question): question is AnsweredQuestion {
  return question.weakAnswer !== undefined;
}

function trainAnswer(questions: readonly AnsweredQuestion[], known: readonly number[], grams: GramSpec): AnswerModel {
  const values = questions.map(({ prompt, weakAnswer }) => answerSigns(prompt, weakAnswer));
  const signs = spreadOf(known.map((row) => values[row] ?? []));
  const asked = gramRows(questions, known, grams);
  const said = gramRows(
    questions.map((question) => ({ ...question, prompt: question.weakAnswer })),
    known,
    grams,
  );
  const rows = beside(
    asked,
    said,
    values.map((of) => standardSigns(of, signs)),
  );
  const uplifts = known.map((row) => upliftOf(questions[row]));
  const mean = uplifts.reduce((sum, uplift) => sum + uplift, 0) / Math.max(1, uplifts.length);
  const centred = Float64Array.from(uplifts, (uplift) => uplift - mean);
  return { grams, signs, weights: ridge(rows, known, centred, PENALTY) };
}

/** Each question scored, its answer read, by a model that has seen none of its fold. */
export function crossValidatedAnswers(
  questions: readonly AnsweredQuestion[],
  folds: number,
  random: () => number,
  grams: GramSpec = ANSWER_GRAMS,
): Float64Array {
  return inFolds(questions, folds, random, (known) => {
    const score = createScoreAnswer(trainAnswer(questions, known, grams));
    return ({ prompt, weakAnswer = '' }) => score(prompt, weakAnswer);
  });
}

function spreadOf(rows: readonly (readonly number[])[]): { means: number[]; deviations: number[] } {
  const count = Math.max(1, rows.length);
  const means = (rows[0] ?? []).map((_, i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / count);
  const deviations = means.map((mean, i) => {
    const squares = rows.reduce((sum, row) => sum + ((row[i] ?? 0) - mean) ** 2, 0);
    // A sign that no row differs in has no say.
    return squares === 0 ? Number.MAX_VALUE : Math.sqrt(squares / count);
  });
  return { means, deviations };
}

/** The columns of the first, then of the second, then one a sign. */
function beside(first: SparseRows, second: SparseRows, signs: readonly (readonly number[])[]): SparseRows {
  const width = first.columnScales.length;
  const signCount = signs[0]?.length ?? 0;
  const size = first.columns.length + second.columns.length + signCount * signs.length;
  const starts = new Uint32Array(signs.length + 1);
  const columns = new Uint32Array(size);
  const values = new Float64Array(size);
  let at = 0;
  const put = (column: number, value: number): void => {
    columns[at] = column;
    values[at] = value;
    at += 1;
  };
  signs.forEach((row, r) => {
    [first, second].forEach((x, block) => {
      for (let i = x.starts[r] ?? 0; i < (x.starts[r + 1] ?? 0); i += 1)
        put(block * width + (x.columns[i] ?? 0), x.rowScales[r] ?? 0);
    });
    row.forEach((sign, i) => put(2 * width + i, sign));
    starts[r + 1] = at;
  });
  const columnScales = new Float64Array(2 * width + signCount).fill(SIGN_SCALE);
  columnScales.set(first.columnScales);
  columnScales.set(second.columnScales, width);
  return { starts, columns, values, rowScales: new Float64Array(signs.length).fill(1), columnScales };
}
