/**
 * Prints what a deployment costs a month while nobody calls, counted from its own templates.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { App } from 'aws-cdk-lib';
import { costLines, templateSchema } from './cost-lines.ts';
import type { CostLine, TemplateResource } from './cost-lines.ts';
import { readCdkContext } from './context.ts';
import { addDeployment } from './deployment.ts';
import { PRICES_AS_OF } from './prices.ts';
import { parseSettings, SETTINGS_CONTEXT_KEY, SettingsError } from './settings.ts';
import type { Settings } from './settings.ts';

const USAGE = `Usage: npm run cost -- [--settings FILE] [--table-gb N] [--bucket-gb N] [--image-gb N] [--instance-usd-per-hour N] [--json]

What a deployment costs a month while nobody calls, by list prices.

  --settings FILE              its settings (or JSON); otherwise those of cdk.json
  --table-gb, --bucket-gb      what is stored (0.1 each)
  --image-gb                   of container images (0.5)
  --instance-usd-per-hour N    for an endpoint on instances: sources disagree, so there is no default
  --json                       print one JSON object`;

const root = join(import.meta.dirname, '..');

try {
  main();
} catch (error) {
  const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!isUsage && !(error instanceof SettingsError) && !(error instanceof RangeError)) throw error;
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error.message);
  process.exitCode = 2;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      settings: { type: 'string' },
      'table-gb': { type: 'string', default: '0.1' },
      'bucket-gb': { type: 'string', default: '0.1' },
      'image-gb': { type: 'string', default: '0.5' },
      'instance-usd-per-hour': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const context = readCdkContext(root);
  const settings = parseSettings(values.settings ?? context[SETTINGS_CONTEXT_KEY]);
  const hourly = values['instance-usd-per-hour'];
  const lines = costLines(templateResources(settings, context), {
    settings,
    tableGb: amount('table-gb', values['table-gb']),
    bucketGb: amount('bucket-gb', values['bucket-gb']),
    imageGb: amount('image-gb', values['image-gb']),
    instanceUsdPerHour: hourly === undefined ? null : amount('instance-usd-per-hour', hourly),
  });
  show(lines, values.json);
}

function amount(option: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${option} must be a number, 0 or more: ${text}`);
  return value;
}

function show(lines: readonly CostLine[], json: boolean): void {
  const totalUsd = lines.reduce((sum, line) => sum + (line.usd ?? 0), 0);
  const unpriced = lines.filter((line) => line.usd === null).map((line) => line.what);
  if (json) {
    console.log(JSON.stringify({ usd_per_month: round(totalUsd), unpriced, lines, prices_as_of: PRICES_AS_OF }));
    return;
  }
  for (const line of lines) console.log(row(line));
  console.log(
    `${'total, US dollars a month'.padEnd(44)}${round(totalUsd).toFixed(2).padStart(8)}   us-east-1, ${PRICES_AS_OF}, no free tier counted`,
  );
  if (unpriced.length > 0) console.log(`Not priced, and not in the total: ${unpriced.join(', ')}`);
}

/** From a synth of the deployment; code in the package does not change what rests, so none is built. */
function templateResources(wanted: Settings, context: Record<string, unknown>): TemplateResource[] {
  const scratch = mkdtempSync(join(tmpdir(), 'cost-at-rest-'));
  try {
    const emptyPackage = join(scratch, 'package');
    mkdirSync(emptyPackage);
    writeFileSync(join(emptyPackage, 'index.mjs'), '');
    const app = new App({ context, outdir: join(scratch, 'out') });
    addDeployment(app, wanted, { modelServer: emptyPackage, functions: emptyPackage });
    return app.synth().stacks.flatMap((stack) => Object.values(templateSchema.parse(stack.template).Resources));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function row({ what, quantity, usd, source }: CostLine): string {
  return `${`${quantity} ${what}`.padEnd(44)}${(usd === null ? '?' : round(usd).toFixed(2)).padStart(8)}   ${source}`;
}

function round(usd: number): number {
  return Math.round(usd * 100) / 100;
}
