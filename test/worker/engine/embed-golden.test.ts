// The shipped static embeddings against Python: the same texts, the same file, the same vectors.

import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { engines } from './engines.ts';

const Row = z.object({ text: z.string(), vector: z.object({ micro: z.array(z.number()) }) });
const Golden = z.object({ rows: z.array(Row) });

function fileOf(name: string): URL {
  return new URL(`../../../${name}`, import.meta.url);
}

const { rows } = Golden.parse(JSON.parse(readFileSync(fileOf('test/fixtures/embed-golden.json'), 'utf8')));

describe.each(engines)('embed in $name', ({ engine }) => {
  it('gives the vectors of the Python reference', async () => {
    const model = await engine.loadModel(Uint8Array.from(readFileSync(fileOf('models/embed/micro.hyb'))).buffer);
    const wrong = rows.filter(({ text, vector }) => {
      const found = model.embed({ kind: 'text', text }).vector;
      return vector.micro.some((value, i) => Math.abs(value - (found[i] ?? Number.NaN)) > 2e-5);
    });
    expect(rows.length).toBeGreaterThan(50);
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });
});
