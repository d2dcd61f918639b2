/**
 * `calibrate`: labelled or shadow-labelled rows in, calibration records out. Owns the options; the statistics are
 * shared/guard, where the rows come from is reference-rows.ts.
 */
import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { calibrateInOrder, type ReferenceRow } from '../shared/guard/calibrate-in-order.ts';
import type { CalibratedShortcut } from '../shared/guard/calibration-record.ts';
import { readLabelledText } from '../local/data/read-labelled-text.ts';
import { rowsFromGateway, rowsFromScores } from './reference-rows.ts';
import { UserError } from './user-error.ts';

export type CalibrateContext = {
  readonly out: (text: string) => void;
  /** What a person wants to know; records alone go to `out`. */
  readonly note: (text: string) => void;
  readonly nowMs: number;
  readonly apiKey: string | undefined;
  /** Of the model's shipped cascade; undefined where there is none. */
  readonly shortcutsOf: (model: string) => Promise<readonly string[] | undefined>;
};

type Options = {
  readonly model: string;
  readonly modelVersion: string;
  readonly scores?: string;
  readonly data?: string;
  readonly url: string;
  readonly shortcuts?: string;
  readonly reference: string;
  readonly against: string;
  readonly minAgreement: number;
  readonly confidence: number;
  readonly horizon: number;
  readonly out?: string;
};

export function createCalibrateCommand(context: CalibrateContext): Command {
  return new Command('calibrate')
    .description('Finds from which confidence a shortcut may answer in the reference variant’s place.')
    .requiredOption('--model <name>', 'model of the gateway')
    .option('--model-version <version>', 'version the rows were made with', '1.0.0')
    .option('--scores <file>', 'CSV with <variant>_predicted, <variant>_confidence and label per row')
    .option('--data <file>', 'CSV with texts to ask a running gateway')
    .option('--url <url>', 'that gateway', 'http://127.0.0.1:8787')
    .option('--shortcuts <variants>', "in the order of the cascade (default: those of the model's shipped one)")
    .option('--reference <variant>', 'the reference variant', 'large')
    .option('--against <what>', 'reference (shadow labels) or labels', 'reference')
    .option('--min-agreement <ratio>', 'share of accepted answers that must agree', ratio, 0.97)
    .option('--confidence <ratio>', 'probability that this holds', ratio, 0.9)
    .option('--horizon <answers>', 'over the next so many accepted answers; 0: the long run', whole, 1_000)
    .option('--out <file>', 'writes the records there')
    .action((options: Options) => run(options, context));
}

async function run(options: Options, context: CalibrateContext): Promise<void> {
  const shortcuts =
    options.shortcuts?.split(',').filter((name) => name !== '') ?? (await context.shortcutsOf(options.model)) ?? [];
  if (shortcuts.length === 0) {
    throw new UserError(`Say --shortcuts: no cascade with a step before the reference ships for ${options.model}.`);
  }
  const rows = await readRows(options, shortcuts, context);
  const calibrated = calibrateInOrder(
    rows,
    shortcuts,
    {
      minAgreement: options.minAgreement,
      confidence: options.confidence,
      horizonAnswers: options.horizon === 0 ? null : options.horizon,
    },
    {
      idPrefix: `${options.model}-${new Date(context.nowMs)
        .toISOString()
        .replaceAll(/[^0-9]/g, '')
        .slice(0, 14)}`,
      reference: options.reference,
      modelVersion: options.modelVersion,
      calibratedAtMs: context.nowMs,
    },
  );
  for (const one of calibrated) context.note(sentence(one));
  const text = `${JSON.stringify(
    calibrated.map(({ record }) => record),
    null,
    2,
  )}\n`;
  if (options.out === undefined) context.out(text);
  else await writeFile(options.out, text);
}

async function readRows(
  options: Options,
  shortcuts: readonly string[],
  context: CalibrateContext,
): Promise<readonly ReferenceRow[]> {
  if (options.against !== 'reference' && options.against !== 'labels')
    throw new Error(`--against: must be reference or labels, not ${options.against}`);
  const wanted = { shortcuts, reference: options.against === 'labels' ? undefined : options.reference };
  if (options.scores !== undefined) return rowsFromScores(options.scores, wanted);
  if (options.data === undefined) throw new Error('give --scores FILE, or --data FILE and the --url of a gateway');
  const inputs = await readLabelledText(options.data);
  return rowsFromGateway(inputs, { url: options.url, apiKey: context.apiKey, model: options.model }, wanted);
}

function sentence({ record, calibration }: CalibratedShortcut): string {
  if (calibration.kind === 'off') return `${record.shortcut}: off. ${calibration.detail}.`;
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return (
    `${record.shortcut}: answers from confidence ${record.threshold ?? ''} on are accepted, ` +
    `${percent(record.coverage)} of ${record.labels}; ${record.disagreed} of ${record.accepted} disagree, ` +
    `agreement at least ${percent(record.agreement_lower_bound)} at confidence ${record.confidence}.`
  );
}

function ratio(text: string): number {
  const value = Number(text);
  if (!(value >= 0.5 && value < 1)) throw new InvalidArgumentError('must be from 0.5 to below 1');
  return value;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number');
  return value;
}
