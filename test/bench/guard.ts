/**
 * `node test/bench/guard.ts [--seed N] [--resamples N] [--runs N]`: the agreement guarantee in figures, one JSON line each,
 * the same for the same seed.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { auditFigures } from './guard-audit.ts';
import { resample } from './guard-resamples.ts';
import { comparisons } from './guard-rows.ts';
import { seeded } from './seeded.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    resamples: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '100' },
    scores: {
      type: 'string',
      default: fileURLToPath(new URL('../../models/intent/validation-scores.csv.gz', import.meta.url)),
    },
  },
});
const seed = Number(values.seed);
const promise = { minAgreement: 0.97, confidence: 0.9 };

function print(figure: string, fields: object): void {
  console.log(JSON.stringify({ figure, seed, ...fields }));
}

const sets = comparisons(values.scores, seeded(seed));
for (const { name, rows } of sets) {
  for (const labels of [1_500, 500, 200]) {
    for (const checkedOn of ['rest', 'population'] as const) {
      const figures = resample(rows, labels, checkedOn, promise, Number(values.resamples), seeded(seed));
      print('calibration', {
        data: name,
        min_agreement: promise.minAgreement,
        confidence: promise.confidence,
        ...figures,
      });
    }
  }
}
const [first] = sets;
if (first !== undefined) {
  for (const figures of auditFigures(first.rows, promise, Number(values.runs), seeded(seed))) {
    print(figures.figure, { data: first.name, ...figures });
  }
}
