/**
 * `hybrid models compile`: gathers what the ONNX file does not say, compiles, loads the result as the worker will, calibrates.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { CompileOptions } from '../onnx/compile.ts';
import { compile } from '../onnx/compile.ts';
import type { Report } from '../operator/terminal.ts';
import { ModelFormatError } from '../../worker/engine/errors.ts';
import { ONNX_RUNTIME_CAN } from '../onnx/onnx-error.ts';
import { UserError } from '../user-error.ts';
import type { Scored } from './calibrate.ts';
import { fitTemperature, indexOfLargest } from './calibrate.ts';
import type { EdgeModel } from './edge-model.ts';
import { loadEdgeModel } from './edge-model.ts';
import { readExamples, readUserFile } from './examples.ts';
import { describeModel } from './inspect-model.ts';
import type { OriginalFlags } from './original-model.ts';
import { inputFlags } from './original-model.ts';
import { readVocabulary } from './vocabulary-file.ts';

export type CompileFlags = OriginalFlags & {
  readonly out: string;
  readonly name?: string;
  readonly variant: string;
  readonly modelVersion: string;
  readonly labels?: string;
  readonly outOfScope?: string;
  readonly tokenizer?: string;
  readonly cased: boolean;
  readonly maxChars: number;
  readonly calibration?: string;
  readonly bits: '8' | '4';
  readonly tableBits?: '4';
  readonly arithmetic: 'auto' | 'f32' | 'int8';
};

export async function compileModel(file: string, flags: CompileFlags): Promise<Report> {
  const bytes = await readUserFile(file);
  const fixed = Number(flags.calibration ?? 1);
  const options: CompileOptions = {
    ...inputFlags(flags),
    model: flags.name ?? basename(file).replace(/\.onnx$/, ''),
    variant: flags.variant,
    version: flags.modelVersion,
    labels: flags.labels === undefined ? null : await readLabels(flags.labels),
    outOfScopeLabel: flags.outOfScope ?? null,
    temperature: Number.isFinite(fixed) ? fixed : 1,
    maxChars: flags.maxChars,
    vocabulary: flags.tokenizer === undefined ? null : await readVocabulary(flags.tokenizer, flags.cased),
    precision: {
      bits: flags.bits === '4' ? 4 : 8,
      arithmetic: flags.arithmetic,
      ...(flags.tableBits === undefined ? {} : { tableBits: 4 as const }),
    },
  };
  let compiled = compile(bytes, options);
  let edge = await loadEdgeModel(compiled).catch((cause: unknown) => {
    if (!(cause instanceof ModelFormatError)) throw cause;
    const advice = cause.detail.startsWith('graph') ? `. ${ONNX_RUNTIME_CAN}` : '';
    throw new UserError(`${file} compiles to what the engine does not take: ${cause.detail}${advice}`, { cause });
  });
  let measured: { readonly accuracy: number; readonly examples: number } | undefined;
  if (flags.calibration !== undefined && !Number.isFinite(fixed)) {
    const examples = await scored(edge, flags.calibration);
    const temperature = fitTemperature(examples);
    compiled = compile(bytes, { ...options, temperature });
    edge = await loadEdgeModel(compiled);
    const right = examples.filter(({ logits, labelIndex }) => indexOfLargest(logits) === labelIndex).length;
    measured = { accuracy: right / examples.length, examples: examples.length };
  }
  await writeFile(flags.out, compiled);
  const described = describeModel(edge);
  const accuracy =
    measured === undefined
      ? []
      : [
          `accuracy     ${(100 * measured.accuracy).toFixed(2)} % of ${measured.examples} examples of ${flags.calibration}`,
        ];
  return {
    value: { file: flags.out, ...described.value, ...measured },
    text: [`wrote        ${flags.out}`, described.text, ...accuracy].join('\n'),
  };
}

async function readLabels(given: string): Promise<string[]> {
  if (!existsSync(given)) return given.split(',').map((label) => label.trim());
  return (await readUserFile(given))
    .toString('utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
}

async function scored({ model }: EdgeModel, file: string): Promise<Scored[]> {
  return (await readExamples(file)).map(({ input, label }, i) => {
    const labelIndex = model.info.labels.indexOf(label ?? '');
    if (labelIndex === -1)
      throw new UserError(`${file}: example ${i + 1} has label ${label ?? 'none'}, which the model does not know.`);
    return { logits: model.logits(input), labelIndex };
  });
}
