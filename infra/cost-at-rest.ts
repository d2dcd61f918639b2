/**
 * Prints what a deployment costs a month while nobody calls, counted from its own templates.
 * node infra/cost-at-rest.ts [--settings JSON|FILE] [--table-gb N] [--bucket-gb N] [--image-gb N] [--instance-usd-per-hour N] [--json]
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
import { parseSettings, SETTINGS_CONTEXT_KEY } from './settings.ts';
import type { Settings } from './settings.ts';

const { values } = parseArgs({
  options: {
    settings: { type: 'string' },
    'table-gb': { type: 'string', default: '0.1' },
    'bucket-gb': { type: 'string', default: '0.1' },
    'image-gb': { type: 'string', default: '0.5' },
    'instance-usd-per-hour': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const root = join(import.meta.dirname, '..');
const context = readCdkContext(root);
const settings = parseSettings(values.settings ?? context[SETTINGS_CONTEXT_KEY]);
const hourly = values['instance-usd-per-hour'];
const lines = costLines(templateResources(settings), {
  settings,
  tableGb: Number(values['table-gb']),
  bucketGb: Number(values['bucket-gb']),
  imageGb: Number(values['image-gb']),
  instanceUsdPerHour: hourly === undefined ? null : Number(hourly),
});
const totalUsd = lines.reduce((sum, line) => sum + (line.usd ?? 0), 0);
const unpriced = lines.filter((line) => line.usd === null).map((line) => line.what);

if (values.json) {
  console.log(JSON.stringify({ usd_per_month: round(totalUsd), unpriced, lines, prices_as_of: PRICES_AS_OF }));
} else {
  for (const line of lines) console.log(row(line));
  console.log(
    `${'total, US dollars a month'.padEnd(44)}${round(totalUsd).toFixed(2).padStart(8)}   us-east-1, ${PRICES_AS_OF}, no free tier counted`,
  );
  if (unpriced.length > 0) console.log(`Not priced, and not in the total: ${unpriced.join(', ')}`);
}

/** From a synth of the deployment; code in the package does not change what rests, so none is built. */
function templateResources(wanted: Settings): TemplateResource[] {
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
