import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createSimulateCommand } from '../../../cli/simulate/simulate-command.ts';

const printedSchema = z.object({
  scenario: z.looseObject({ seed: z.number() }),
  strategies: z.array(z.looseObject({ strategy: z.string(), requests: z.number(), answered: z.number() })),
  goals: z.array(z.object({ what: z.string(), is_reached: z.boolean() })).optional(),
});

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulate-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function run(...options: string[]): Promise<string> {
  let out = '';
  const command = createSimulateCommand((text) => (out += text))
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} });
  await command.parseAsync(['--requests', '600', '--pops', '5', ...options], { from: 'user' });
  return out;
}

describe('the simulate command', () => {
  it('prints the same bytes for the same seed, and others for another', async () => {
    const options = ['--json', '--strategies', 'cascade,random', '--bursts', '2x10x5', '--outage', 'us-east-1:100-900'];
    const first = await run(...options);
    expect(await run(...options)).toBe(first);
    expect(await run(...options, '--seed', '2')).not.toBe(first);
  });

  it('prints one line a strategy, and what the cascade reaches', async () => {
    const out = await run('--strategies', 'cascade,static-cascade,all-cloud,oracle', '--goals');
    for (const name of ['cascade', 'static-cascade', 'all-cloud', 'oracle'])
      expect(out).toMatch(new RegExp(`^${name} +\\d`, 'm'));
    expect(out).toMatch(/answered with one region down +>= 99.9 % +\d+\.\d+ %/);
  });

  it('prints JSON with every figure', async () => {
    const printed = printedSchema.parse(JSON.parse(await run('--json', '--strategies', 'cascade', '--goals')));
    expect(printed.strategies).toHaveLength(1);
    expect(printed.strategies[0]).toMatchObject({ strategy: 'cascade', requests: 600, answered: 1 });
    expect(printed.goals).toHaveLength(8);
  });

  it('writes a picture with every strategy in it', async () => {
    const file = join(folder, 'plot.svg');
    await run('--strategies', 'cascade,all-cloud', '--plot', file);
    const svg = await readFile(file, 'utf8');
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true);
    expect(svg.match(/>all-cloud</g)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('chooses thresholds on one half of the rows and reports them on the other', async () => {
    const out = await run('--grid');
    expect(out).toMatch(/Chosen on the first half of the rows \(1550/);
    expect(out).toMatch(/ chosen$/m);
    expect(out).toMatch(/rows second/);
    expect(out).toMatch(/^as chosen +\d/m);
  });

  it('reads measured round trips, other models and its own configuration file', async () => {
    const table = join(folder, 'rtt.csv');
    await writeFile(
      table,
      'to,us-east-1\n"Tokyo Japan, Eurasia",150\n"Nowhere Land, Eurasia",90\n"A, B",1\n"C, D",2\n"E, F",3\n',
    );
    const out = await run('--rtt', table, '--regions', 'us-east-1', '--model', 'banking', '--strategies', 'cascade');
    expect(out).toMatch(/600 requests of banking .* 5 points of presence, regions us-east-1,/);
  });

  it.each([
    [['--trace', 'nowhere.csv'], 'nowhere.csv'],
    [['--model', 'nobody'], 'There is no model nobody'],
    [['--regions', 'mars-1'], 'Where mars-1 lies is not known'],
    [['--pops', '500'], 'There are 85 cities'],
    [['--outage', 'us-west-2:1-2'], 'us-west-2 takes no part'],
    [['--strategies', 'prayer'], '"prayer" is none of'],
    [['--bursts', '3x1x5'], 'like 3x10x20'],
    [['--latency', '100:0.7,200:0.7'], 'at most 1 in all'],
    [['--outage', 'us-east-1:9-2'], 'in seconds'],
    [['--accept', 'micro'], 'like micro=0.9'],
    [['--slow-replica', '1x5'], 'one replica in twenty'],
    [['--seed', '-1'], 'whole number'],
    [['--zipf', 'much'], 'from 0 to 5'],
    [['--out-of-scope', '2'], 'from 0 to 1'],
    [['--regions', '99'], 'number from 1 to 21'],
  ])('refuses %j with a clear message', async (options, message) => {
    await expect(run(...options)).rejects.toThrow(message);
  });

  it('names what is wrong with a configuration', async () => {
    const file = join(folder, 'config.json');
    await writeFile(file, '{"schema": 2}');
    await expect(run('--config', file)).rejects.toThrow(/is no configuration:\n {2}schema/);
  });
});
