/**
 * The `eval` command: its options, which gateway it talks to, what it prints. Owns starting and stopping a gateway of its
 * own where no URL is given; leaves out the evaluation itself.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { COMPLEXITIES, type Complexity } from '../shared/schema/infer-request.ts';
import { evaluate } from './evaluate.ts';
import { mustExist } from './labelled-rows.ts';
import type { ProgressStream } from './progress.ts';
import { renderReport } from './report.ts';

type EvalOutput = { readonly out: (text: string) => void; readonly progress: ProgressStream };

/** A gateway to talk to; `close` ends it where this command started it. */
type Gateway = { readonly url: string; close(): Promise<void> };

export type EvalServices = {
  readonly output: EvalOutput;
  readonly apiKey: string | undefined;
  readonly startGateway: (apiKey: string | undefined) => Promise<Gateway>;
  /** Fires when whoever runs this asked to stop. */
  readonly signal: AbortSignal;
};

type EvalFlags = {
  readonly model: string;
  readonly data?: string;
  readonly url?: string;
  readonly json: boolean;
  readonly limit?: number;
  readonly concurrency: number;
  readonly complexity: Complexity;
  readonly variant?: string;
  readonly reference: boolean;
};

export function createEvalCommand(services: EvalServices): Command {
  return new Command('eval')
    .description(
      'Sends a labelled file through the gateway and reports accuracy, places, latency and cost,\n' +
        "then asks the model's reference variant the same, to report agreement with it.",
    )
    .requiredOption('-m, --model <name>', 'a model of the gateway, such as intent or digits')
    .option(
      '-d, --data <file>',
      'CSV with the columns text and intent (or category, label), or the images of an IDX pair; gzip accepted (default: the held-out file shipped with the model)',
    )
    .option(
      '-u, --url <url>',
      'a running gateway (default: the whole stack, started for this run and stopped after it)',
      parseUrl,
    )
    .option('--json', 'print one JSON object instead of a report', false)
    .option('-n, --limit <rows>', 'send only so many rows, evenly spread over the file', parseCount)
    .option('-c, --concurrency <requests>', 'requests under way at once', parseCount, 4)
    .addOption(
      new Option('--complexity <level>', 'model_complexity of every request').choices(COMPLEXITIES).default('auto'),
    )
    .option('--variant <name>', 'pin one variant instead of letting the gateway choose')
    .option('--no-reference', 'do not ask the reference variant: no agreement, half the time')
    .addHelpText(
      'after',
      '\nEnvironment: API_KEY, the key to send where the gateway asks for one.\n\n' +
        'Examples:\n  npm run eval -- --model intent\n  npm run eval -- --model digits --json --limit 500\n' +
        '  npm run eval -- --model intent --data held-out.csv --url http://127.0.0.1:8787',
    )
    .action((flags: EvalFlags) => runEval(flags, services));
}

async function runEval(flags: EvalFlags, services: EvalServices): Promise<void> {
  const { apiKey, output, signal } = services;
  // Before anything is started: a typing error should not cost a start.
  if (flags.data !== undefined) await mustExist(flags.data);
  const gateway =
    flags.url === undefined ? await startOwn(services) : { url: flags.url, close: () => Promise.resolve() };
  try {
    signal.throwIfAborted();
    const report = await evaluate({
      url: gateway.url,
      apiKey,
      model: flags.model,
      data: flags.data,
      limit: flags.limit,
      concurrency: flags.concurrency,
      complexity: flags.complexity,
      variant: flags.variant,
      compare: flags.reference,
      signal,
      progress: output.progress,
    });
    output.out(flags.json ? JSON.stringify(report, shortened) : renderReport(report));
  } finally {
    await gateway.close();
  }
}

async function startOwn({ output, apiKey, startGateway }: EvalServices): Promise<Gateway> {
  if (output.progress.isTTY === true) output.progress.write('Starting a gateway for this run ...\n');
  return startGateway(apiKey);
}

/** Six digits: thousands of rows say no more, and `1e-17` too much says nothing. */
function shortened(_name: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number from 1.');
}

function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('It must begin with http:// or https://.');
}
