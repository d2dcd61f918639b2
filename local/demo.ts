/**
 * A handful of real sentences and images sent through the edge URL, shown as a table with what each answer cost and why,
 * and a summary against sending everything to the large model. Owns what is sent and how it is shown.
 */
import { join } from 'node:path';
import { REPOSITORY_ROOT } from './bundle-worker.ts';
import { readIdxPair } from './data/read-idx.ts';
import { requestInference, type Answer } from './request-inference.ts';

type DemoInput = {
  readonly model: string;
  readonly shown: string;
  readonly input: unknown;
  readonly extra?: Record<string, unknown>;
};

export type DemoResult = {
  readonly text: string;
  readonly failures: readonly string[];
  readonly firstAnswerAtMs: number;
};

const SENTENCES = [
  'how much money is in my savings account',
  'please set an alarm for six thirty tomorrow morning',
  'my card got swallowed by the machine at the mall, what now',
  'translate good night into italian',
  'is it going to be cold enough for a jacket later',
  'who painted the ceiling of the sistine chapel',
  'remind me to water the plants on sunday',
  'book me a table for four at the thai place tonight',
  'how far is the airport from here',
  'what should i make for dinner with chicken and rice',
  'play the next song',
  'my phone is lost, can you ring it',
];
const QUESTIONS = ['my transfer to a friend has not arrived yet', 'why was i charged a fee for paying in euros'];
const IMAGE_INDEXES = [0, 1, 2];

export async function runDemo(url: string, apiKey: string | undefined): Promise<DemoResult> {
  const inputs = await demoInputs();
  const rows: string[][] = [];
  const answers: Answer[] = [];
  const failures: string[] = [];
  let firstAnswerAtMs = 0;
  for (const { model, shown, input, extra } of inputs) {
    const sent = await requestInference(url, { model_name: model, input_data: input, ...extra }, apiKey);
    if (firstAnswerAtMs === 0) firstAnswerAtMs = Date.now();
    if (sent.kind === 'failed') {
      failures.push(`${shown}: ${sent.code} ${sent.message}`);
      rows.push([shown, sent.code, '', '', '', '', sent.message]);
      continue;
    }
    const { answer, roundTripMs } = sent;
    answers.push(answer);
    for (const attempt of answer.decision.fallback_chain) {
      if (attempt.outcome === 'failed')
        failures.push(`${shown}: ${attempt.target} failed (${attempt.reason}: ${attempt.detail})`);
    }
    rows.push(rowOf(shown, answer, roundTripMs));
  }
  const table = formatTable(['input', 'answer', 'confidence', 'place', 'ms', 'USD', 'reason'], rows);
  return { text: `${table}\n\n${summaryOf(answers)}`, failures, firstAnswerAtMs };
}

async function demoInputs(): Promise<readonly DemoInput[]> {
  const images = await readIdxPair(join(REPOSITORY_ROOT, 'models/digits/report-sample/images-idx3-ubyte.gz'));
  const [firstSentence = ''] = SENTENCES;
  return [
    ...SENTENCES.map((text) => ({ model: 'intent', shown: text, input: text })),
    { model: 'intent', shown: `${firstSentence} (again)`, input: firstSentence },
    {
      model: 'intent',
      shown: 'what is my credit limit (complexity: high)',
      input: 'what is my credit limit',
      extra: { model_complexity: 'high' },
    },
    ...QUESTIONS.map((text) => ({ model: 'banking', shown: text, input: text })),
    ...IMAGE_INDEXES.flatMap((index) => {
      const image = images[index];
      return image === undefined
        ? []
        : [{ model: 'digits', shown: `image of a handwritten ${image.label}`, input: image.pixels }];
    }),
  ];
}

function rowOf(shown: string, answer: Answer, roundTripMs: number): string[] {
  const [prediction] = answer.predictions;
  const place = answer.cache === 'miss' ? `${answer.target_used.id} (${answer.variant})` : `cache (${answer.cache})`;
  return [
    shown,
    prediction?.label ?? '',
    prediction?.confidence.toFixed(3) ?? '',
    place,
    roundTripMs.toFixed(1),
    answer.cost_usd.toFixed(9),
    shortReason(answer),
  ];
}

/** The whole sentence is in the answer; a row has room for what happened. */
function shortReason(answer: Answer): string {
  if (answer.cache !== 'miss') return answer.decision.reason;
  const steps = answer.decision.fallback_chain.map(({ target, outcome, detail }) =>
    outcome === 'accepted'
      ? `${target} sure enough`
      : outcome === 'failed'
        ? `${target} failed`
        : `${target} unsure (${detail.split(', ').at(-1)})`,
  );
  const first = answer.decision.fallback_chain[0];
  return first !== undefined && first.kind !== 'edge'
    ? `${steps.join(', ')}: ${answer.decision.reason}`
    : steps.join(', then ');
}

function summaryOf(answers: readonly Answer[]): string {
  const cost = sum(answers.map((answer) => answer.cost_usd));
  const cloudOnly = sum(answers.map((answer) => answer.decision.cloud_only_cost_usd));
  const edge = answers.filter((answer) => answer.cache !== 'miss' || answer.target_used.kind === 'edge').length;
  const saving = cloudOnly === 0 ? 0 : 100 * (1 - cost / cloudOnly);
  return [
    `${answers.length} answers, ${edge} of them at the edge or from its cache.`,
    `Cost ${cost.toFixed(9)} USD; the same through the large model only: ${cloudOnly.toFixed(9)} USD (${saving.toFixed(0)} % saved).`,
  ].join('\n');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const format = (line: readonly string[]) =>
    line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
  return [
    format(header),
    widths
      .map((width) => '-'.repeat(width))
      .join('  ')
      .slice(0, 140),
    ...rows.map(format),
  ].join('\n');
}
