/**
 * `hybrid models add`: puts a model's file into its folder under `models` and writes, or extends, its card. From then on it is
 * a model like the shipped ones: served by `npm start` and the next deploy, published by `hybrid models publish`.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cardSchema, type Card, type CardVariant, type ModelInputSpec } from '../../shared/schema/card.ts';
import { isClassification } from '../../shared/schema/task.ts';
import type { Report } from '../operator/terminal.ts';
import { UserError } from '../user-error.ts';
import { openEdgeModel, type EdgeModel } from './edge-model.ts';
import { readExamples, readUserFile } from './examples.ts';
import { refuseUnopenable } from './openable.ts';
import { inputsOf } from './verify-model.ts';

export type AddFlags = {
  readonly into: string;
  readonly name?: string;
  readonly variant?: string;
  readonly description: string;
  readonly examples?: string;
  readonly accuracy?: number;
  /** Of an ONNX file only: a .hyb file says these itself. */
  readonly modelVersion: string;
  readonly labels?: string;
  readonly input?: ModelInputSpec;
  readonly tokenizer?: string;
  readonly cased: boolean;
  readonly maxTokens: number;
  readonly output?: string;
  readonly scores: 'logits' | 'probabilities';
  readonly temperature: number;
};

type Described = Pick<Card, 'name' | 'version' | 'task' | 'description' | 'labels' | 'out_of_scope_label' | 'input'>;
type Added = {
  readonly model: Described;
  readonly variant: string;
  readonly spec: CardVariant;
  readonly files: readonly string[];
};

const TIMED_INPUTS = 64;
const TIMED_ANSWERS = 200;

export async function addModel(file: string, flags: AddFlags): Promise<Report> {
  const added = file.endsWith('.onnx') ? await fromOnnx(file, flags) : await fromHyb(file, flags);
  const folder = join(flags.into, added.model.name);
  const card = merged(await cardIn(folder), added);
  const problem = cardSchema.safeParse(card).error;
  if (problem !== undefined) throw new UserError(`The card would not be valid: ${problem.message}`);
  await mkdir(folder, { recursive: true });
  for (const from of added.files) {
    const to = join(folder, from === file ? added.spec.file : basename(from));
    if (from !== to) await copyFile(from, to);
  }
  await writeFile(join(folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
  const { accuracy, n } = added.spec.metrics;
  const cardFile = join(folder, 'card.json');
  const value = {
    card: cardFile,
    model: added.model.name,
    version: added.model.version,
    variant: added.variant,
    format: added.spec.format,
    size_bytes: added.spec.size_bytes,
    accuracy,
    examples: n > 1 ? n : null,
    latency_ms: added.spec.latency_ms,
  };
  const text = [
    `wrote        ${cardFile}`,
    `variant      ${added.variant} of ${added.model.name}: ${added.spec.format}, ${added.spec.size_bytes} bytes`,
    `accuracy     ${(100 * accuracy).toFixed(2)} %${n > 1 ? ` of ${n} examples` : ' (as given)'}`,
    `latency      p50 ${added.spec.latency_ms.p50 ?? '?'} ms, p95 ${added.spec.latency_ms.p95 ?? '?'} ms`,
    `next         npm start, or npx wrangler dev or deploy; with a control plane, npx hybrid models publish ${folder}`,
  ].join('\n');
  return { value, text };
}

async function fromHyb(file: string, flags: AddFlags): Promise<Added> {
  const edge = await openEdgeModel(file);
  const { info } = edge.model;
  const name = flags.name ?? info.model;
  const variant = flags.variant ?? info.variant;
  const { accuracy, n, split } = await accuracyOf(edge, flags);
  const calibration = edge.header.calibration;
  return {
    variant,
    files: [file],
    model: {
      name,
      version: info.version,
      task: info.task,
      description: flags.description,
      labels: [...info.labels],
      out_of_scope_label: info.outOfScopeLabel,
      input: inputOf(edge),
    },
    spec: {
      file: `${variant}.hyb`,
      runtime: 'engine',
      format: 'compiled for the edge engine',
      ...(await sizeAndDigest(file)),
      ...(calibration === null ? {} : { calibration: { kind: 'temperature', temperature: calibration.temperature } }),
      metrics: { accuracy, n, split },
      latency_ms: await latencyOf(edge, flags),
    },
  };
}

async function fromOnnx(file: string, flags: AddFlags): Promise<Added> {
  const { input, labels, tokenizer } = flags;
  if (flags.accuracy === undefined) throw new UserError('Say --accuracy: an ONNX file is not run here.');
  if (input === undefined) throw new UserError('Say --input: text:1000, image:28x28, or numbers:30.');
  if (labels === undefined) throw new UserError('Say --labels, in the order of the scores.');
  if ((input.kind === 'text') !== (tokenizer !== undefined))
    throw new UserError('A text model needs --tokenizer vocab.txt, and no other does.');
  await refuseUnopenable(file, flags.output);
  const variant = flags.variant ?? 'onnx';
  const vocabulary = tokenizer === undefined ? undefined : { file: tokenizer, ...(await sizeAndDigest(tokenizer)) };
  return {
    variant,
    files: vocabulary === undefined ? [file] : [file, vocabulary.file],
    model: {
      name: flags.name ?? basename(file).replace(/\.onnx$/, ''),
      version: flags.modelVersion,
      task:
        input.kind === 'text'
          ? 'text_classification'
          : input.kind === 'image'
            ? 'image_classification'
            : 'tabular_classification',
      description: flags.description,
      labels: labels.split(',').map((label) => label.trim()),
      out_of_scope_label: null,
      input,
    },
    spec: {
      file: `${variant}.onnx`,
      runtime: 'onnx_edge',
      format: 'ONNX',
      ...(await sizeAndDigest(file)),
      calibration: { kind: 'temperature', temperature: flags.temperature },
      metrics: { accuracy: flags.accuracy, n: 1, split: 'as given' },
      latency_ms: { p50: null, p95: null },
      onnx: { scores: flags.scores, ...(flags.output === undefined ? {} : { output: flags.output }) },
      ...(vocabulary === undefined
        ? {}
        : {
            tokenizer: {
              kind: 'wordpiece',
              vocab: basename(vocabulary.file),
              size_bytes: vocabulary.size_bytes,
              sha256: vocabulary.sha256,
              lowercase: !flags.cased,
              max_tokens: flags.maxTokens,
            },
          }),
    },
  };
}

async function cardIn(folder: string): Promise<Card | undefined> {
  const text = await readFile(join(folder, 'card.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : cardSchema.parse(JSON.parse(text));
}

/** Weakest first, as routes climb; the reference is the best, unless the card names another already. */
function merged(before: Card | undefined, { model, variant, spec }: Added): Card {
  if (before !== undefined && (!same(before.labels, model.labels) || !same(before.input, model.input)))
    throw new UserError(`${model.name} has a card already, with other labels or another input: choose another --name.`);
  const variants = Object.entries({ ...before?.variants, [variant]: spec });
  const sorted =
    before === undefined ? variants : variants.toSorted(([, a], [, b]) => a.metrics.accuracy - b.metrics.accuracy);
  const best = sorted.at(-1)?.[0] ?? variant;
  return {
    ...model,
    ...before,
    reference_variant: before?.reference_variant ?? best,
    variants: Object.fromEntries(sorted),
  };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function inputOf({ header }: EdgeModel): ModelInputSpec {
  const { input } = header;
  if (input.kind === 'text') return { kind: 'text', max_chars: input.max_chars };
  const { height, width, channels } = input;
  // A model of plain numbers: a row of them is an image of one line.
  if (height === 1 && width === 1) return { kind: 'image', height: 1, width: channels, channels: 1 };
  if (channels !== 1)
    throw new UserError(
      'The gateway takes images of one channel; serve this model by its tensors, from its ONNX file.',
    );
  return { kind: 'image', height, width, channels };
}

async function accuracyOf(edge: EdgeModel, flags: AddFlags): Promise<{ accuracy: number; n: number; split: string }> {
  if (flags.examples === undefined) {
    if (flags.accuracy === undefined) throw new UserError('Say --examples FILE, labelled, or --accuracy.');
    return { accuracy: flags.accuracy, n: 1, split: 'as given' };
  }
  if (!isClassification(edge.model.info.task)) throw new UserError('Examples are for classifiers: say --accuracy.');
  const examples = await readExamples(flags.examples);
  const right = examples.filter(({ input, label }) => edge.model.classify(input).label === label).length;
  return { accuracy: right / examples.length, n: examples.length, split: basename(flags.examples) };
}

async function latencyOf(edge: EdgeModel, flags: AddFlags): Promise<{ p50: number; p95: number; where: string }> {
  const inputs = await inputsOf(edge, {
    count: TIMED_INPUTS,
    ...(flags.examples === undefined ? {} : { inputs: flags.examples }),
  });
  const times: number[] = [];
  for (let i = -TIMED_ANSWERS; i < TIMED_ANSWERS; i += 1) {
    const input = inputs[(i + TIMED_ANSWERS) % inputs.length];
    if (input === undefined) break;
    const startedMs = performance.now();
    edge.model.logits(input);
    if (i >= 0) times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  const quantile = (q: number): number =>
    Math.max(0.001, Number((times[Math.floor(q * times.length)] ?? 0).toFixed(4)));
  return { p50: quantile(0.5), p95: quantile(0.95), where: `this machine, Node ${process.versions.node}` };
}

async function sizeAndDigest(file: string): Promise<{ size_bytes: number; sha256: string }> {
  const bytes = await readUserFile(file);
  return { size_bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}
