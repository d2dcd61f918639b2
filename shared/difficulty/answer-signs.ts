/**
 * What an answer to a sum shows of whether it is right: its form, whether its arithmetic holds, where its numbers come from,
 * and words of doubt. Owns the signs alone; what weighs them is score-answer.ts.
 */
import { valueOfSum } from './value-of-sum.ts';

/** A calculator's mark, `<<2*3=6>>`, and an equation in plain text. */
const MARKED = /<<([^<>=]{1,80})=([^<>]{1,40})>>/g;
const WRITTEN = /([\d.,+\-*/x×()$ ]{3,80})=\s*\$?(-?[\d,]*\.?\d+)/g;
const NUMBER = /\d[\d,]*(?:\.\d+)?/g;
const FINAL = '####';
const MAX_CHARS = 4000;
/** Of rounding to cents, relative. */
const TOLERANCE = 0.011;

const QUESTION_WORDS =
  'half|twice|times|each|if |more|less|than|remaining|left|total|per|hour|day|week|average|percent|how many|how much|first|second|third|every|before|after|another|rest|all|there are'.split(
    '|',
  );
const ANSWER_WORDS =
  'however|since|because|assume|if |so |therefore|let|would|but|approximately|about|cannot|not|round|remaining|equation|each|we know|first|total|≈|...|must|half|twice|means|note|answer|question|$'.split(
    '|',
  );

/** As many numbers for every question and answer, in one order, counts and sizes as logarithms; each of them finite. */
export function answerSigns(question: string, answer: string): number[] {
  const asked = question.slice(0, MAX_CHARS);
  const said = answer.slice(0, MAX_CHARS);
  const signs = [signsOfQuestion(asked), signsOfForm(said), signsOfSums(asked, said), signsOfWords(asked, said)].flat();
  return signs.map((sign) => Math.sign(sign) * Math.log1p(Math.abs(sign)));
}

function signsOfQuestion(question: string): number[] {
  const numbers = numbersIn(question);
  const largest = Math.max(0, ...numbers);
  const words = question.split(/\s+/);
  return [
    question.length,
    words.length,
    question.length / words.length,
    numbers.length,
    new Set(numbers).size,
    largest,
    Number(largest > 1000),
    ...['%', '$', '.', '?', ','].map((mark) => countOf(question, mark)),
    matches(question, /\d+\/\d+/g),
    matches(question, /\d\.\d/g),
    matches(question, /[A-Z]/g),
    ...QUESTION_WORDS.map((word) => countOf(question.toLowerCase(), word)),
  ];
}

function signsOfForm(answer: string): number[] {
  const at = answer.lastIndexOf(FINAL);
  const final = at < 0 ? '' : answer.slice(at + FINAL.length).trim();
  const [value = 0] = numbersIn(final);
  const end = answer.trimEnd();
  return [
    Number(at >= 0),
    Number(/\d/.test(final)),
    final.length,
    Number(/\s/.test(final)),
    Number(/^\$?-?[\d,]+(\.\d+)?\.?$/.test(final)),
    Number(!Number.isInteger(value)),
    Number(/^\D*-/.test(final)),
    value,
    Number(value === 0),
    answer.length - end.length,
    Number(/[.!?]$/.test(end)),
    Number(/\d$/.test(end)),
    answer.length,
    matches(answer, /\n/g),
    matches(answer, /\n\d+\. /g),
    answer.split(/\s+/).length,
    matches(answer, NUMBER),
    ...['/', '*', ' x ', '-', '+', '%', '=', '\\'].map((mark) => countOf(answer, mark)),
  ];
}

function signsOfSums(question: string, answer: string): number[] {
  const marked = sumsIn(answer, MARKED);
  const written = sumsIn(answer.replaceAll(/<<[^>]*>>/g, ''), WRITTEN);
  const given = new Set(numbersIn(question));
  const said = numbersIn(answer);
  const at = answer.lastIndexOf(FINAL);
  const [final = 0] = numbersIn(at < 0 ? '' : answer.slice(at));
  const unused = [...given].filter((number) => !said.includes(number)).length;
  const results = [...marked, ...written].map(({ result }) => result);
  // A result that no later sum takes up, and a number that neither the question nor an earlier sum gave.
  const sums = marked.length > 0 ? marked : written;
  const idle = sums.filter(
    ({ result }, i) => result !== final && !sums.slice(i + 1).some(({ terms }) => terms.includes(result)),
  ).length;
  let strange = 0;
  sums.forEach(({ terms }, i) => {
    const known = new Set([...given, ...sums.slice(0, i).map(({ result }) => result)]);
    strange += terms.filter((term) => !known.has(term)).length;
  });
  return [
    marked.length,
    written.length,
    ...[marked, written].flatMap((of) => {
      const wrong = of.filter(({ holds }) => holds === false).length;
      return [wrong, Number(wrong > 0), of.filter(({ holds }) => holds === undefined).length];
    }),
    unused,
    unused / Math.max(1, given.size),
    Number(given.has(final)),
    Number(said.slice(0, -1).includes(final)),
    Number(results.at(-1) === final),
    Number(marked.at(-1)?.result === final),
    idle,
    strange,
    sums.length - given.size,
    said.filter((number) => !Number.isInteger(number)).length,
    results.filter((result) => !Number.isInteger(result)).length,
    Number(Math.max(0, ...said) > 1e5),
    sums.filter(({ terms }) => terms.length > 2).length,
    ...['+', '-', '*', '/'].map((sign) => sums.filter(({ text }) => text.includes(sign)).length),
    Number(sums.at(-1)?.text.includes('/') ?? false),
    Number(sums.at(-1)?.text.includes('+') ?? false),
    Number(sums.at(-1)?.text.includes('-') ?? false),
    Number(sums.at(-1)?.text.includes('*') ?? false),
    sums.length - new Set(sums.map(({ result }) => result)).size,
  ];
}

function signsOfWords(question: string, answer: string): number[] {
  const asked = new Set(wordsOf(question));
  const said = new Set(wordsOf(answer));
  const lower = answer.toLowerCase();
  return [
    ...ANSWER_WORDS.map((word) => countOf(lower, word)),
    answer.length / Math.max(1, question.length),
    [...said].filter((word) => !asked.has(word)).length,
    [...asked].filter((word) => !said.has(word)).length / Math.max(1, asked.size),
  ];
}

type Sum = { text: string; terms: number[]; result: number; holds: boolean | undefined };

function sumsIn(text: string, pattern: RegExp): Sum[] {
  return [...text.matchAll(pattern)].flatMap(([, left = '', right = '']) => {
    const expression = left.replaceAll(/[,$\s\\]/g, '').replaceAll(/[x×]/g, '*');
    const [result] = numbersIn(right);
    if (result === undefined || !/\d[+\-*/]/.test(expression)) return [];
    const value = valueOfSum(expression);
    const signed = /^\D*-/.test(right) ? -result : result;
    const holds =
      value === undefined ? undefined : Math.abs(value - signed) <= TOLERANCE * Math.max(1, Math.abs(value));
    return [{ text: expression, terms: numbersIn(expression), result, holds }];
  });
}

function numbersIn(text: string): number[] {
  return [...text.matchAll(NUMBER)].map(([digits]) => Number(digits.replaceAll(',', ''))).filter(Number.isFinite);
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}

function matches(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}
