import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRandom } from '../../../cli/simulate/random.ts';
import { SHIPPED_TRACE } from '../../../cli/simulate/scenario.ts';
import { addBursts, readTrace, stretch } from '../../../cli/simulate/trace.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trace-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(text: string): Promise<number[]> {
  const file = join(folder, 'trace.csv');
  await writeFile(file, text);
  return [...(await readTrace(file, createRandom(1, 1)))];
}

describe('a trace', () => {
  it('is read from gaps', async () => {
    expect(await read('gap_ms\n5\n0\n7\n')).toEqual([0, 0, 7]);
  });

  it('is read from the timestamps of the Azure LLM inference trace', async () => {
    expect(
      await read('TIMESTAMP,ContextTokens\n2023-11-16 18:15:50.9951690,3\n2023-11-16 18:15:46.6805900,1\n'),
    ).toEqual([0, 4315]);
  });

  it('is read from the ends and durations of the Azure Functions trace of 2021', async () => {
    const [first, second] = await read('app,func,end_timestamp,duration\na,b,57.5,57\na,b,3,1\n');
    expect([first, second]).toEqual([0, 1500]);
  });

  it('is read from the counts per minute of the Azure Functions trace of 2019', async () => {
    const minutes = Array.from({ length: 1440 }, (_, index) => index + 1);
    const arrivals = await read(
      `func,${minutes.join(',')}\nf,${minutes.map((minute) => (minute === 2 ? 3 : 0)).join(',')}\n`,
    );
    expect(arrivals).toHaveLength(3);
    expect(arrivals.at(-1)).toBeLessThan(60_000);
  });

  it('has 28,185 arrivals in just under an hour where none is given', async () => {
    const trace = await readTrace(SHIPPED_TRACE, createRandom(1, 1));
    expect(trace).toHaveLength(28_185);
    expect(trace.at(-1)).toBe(3_513_247);
  });

  it.each([
    ['no known header', 'when\n1\n', 'none of the known headers'],
    ['a word for a number', 'gap_ms\nsoon\n', 'row 1 has "soon"'],
    ['a negative number', 'gap_ms\n-1\n', 'row 1 has "-1"'],
    ['no time', 'TIMESTAMP\nnoon\n', 'row 1 has no time'],
    ['nothing in it', 'gap_ms\n', 'holds no arrivals'],
    ['a broken row', 'gap_ms,x\n1\n', 'cannot be read as CSV'],
  ])('with %s is a clear error', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });
});

describe('stretching', () => {
  it('gives as many as asked, in order, within the same time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 99 }),
        (gaps, count, seed) => {
          let atMs = 0;
          const trace = Float64Array.from(gaps, (gap) => (atMs += gap));
          const arrivals = stretch(trace, count, createRandom(seed, 1));
          expect(arrivals).toHaveLength(count);
          expect([...arrivals]).toEqual([...arrivals].sort((a, b) => a - b));
          expect(arrivals[0]).toBeGreaterThanOrEqual(trace[0] ?? 0);
          expect(arrivals.at(-1)).toBeLessThanOrEqual(trace.at(-1) ?? 0);
        },
      ),
    );
  });

  it('keeps the ups and downs', () => {
    const trace = Float64Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 1_000]);
    const arrivals = stretch(trace, 1_000, createRandom(3, 1));
    expect(arrivals.filter((atMs) => atMs <= 8).length).toBeGreaterThan(780);
  });
});

describe('bursts', () => {
  it('add the mean rate times the factor less one, for as long as they last', () => {
    const steady = Float64Array.from({ length: 1_001 }, (_, index) => index * 100);
    const arrivals = addBursts(steady, { count: 2, factor: 5, lengthMs: 10_000 }, createRandom(1, 2));
    expect(arrivals.length - steady.length).toBeCloseTo(2 * 4 * 100, -1);
    expect([...arrivals]).toEqual([...arrivals].sort((a, b) => a - b));
  });
});
