/**
 * A v2 server's output tensors -> predictions, one an input; undefined where they are not what was asked.
 */
import type { ModelSpec, RemoteModel } from '../../../shared/schema/config.ts';
import { TOP_COUNT, type Prediction } from '../../../shared/schema/prediction.ts';
import { rankLabels, rankShares } from '../../../shared/schema/rank-labels.ts';
import type { NamedTensor } from '../../../shared/schema/tensor.ts';
import { decodeElements } from '../../../shared/schema/tensor-elements.ts';

export function predictionsOfAnswer(
  outputs: readonly NamedTensor[],
  model: ModelSpec,
  remote: RemoteModel,
  count: number,
): readonly Prediction[] | undefined {
  if (model.task === 'tensors') return [{ kind: 'tensors', outputs, confidence: 1, truncated: false }];
  const { output } = remote;
  const tensor = outputs.find(({ name }) => name === output?.name);
  if (output === null || tensor === undefined || count === 0) return undefined;
  const values = numbers(tensor);
  const width = values === undefined ? 0 : values.length / count;
  if (values === undefined || tensor.shape[0] !== count || !Number.isInteger(width) || width === 0) return undefined;
  const rows = Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width));
  if (output.holds === 'embedding')
    return rows.map((embedding) => ({ kind: 'embedding', embedding, confidence: 1, truncated: false }));
  if (width !== model.labels.length) return undefined;
  const predictions = rows.map((row): Prediction | undefined => {
    if (output.holds === 'probabilities' && !isDistribution(row)) return undefined;
    const top =
      output.holds === 'probabilities'
        ? rankShares(row, model.labels, TOP_COUNT)
        : rankLabels(row, model.labels, output.temperature ?? 1, TOP_COUNT);
    const [best] = top;
    if (best === undefined || !Number.isFinite(best.confidence)) return undefined;
    return { kind: 'class', label: best.label, confidence: best.confidence, top, truncated: false };
  });
  return predictions.every((prediction) => prediction !== undefined) ? predictions : undefined;
}

/** Half precision and servers' own rounding leave sums a little off one. */
const SUM_TOLERANCE = 0.02;

function isDistribution(row: readonly number[]): boolean {
  const sum = row.reduce((total, share) => total + share, 0);
  return row.every((share) => share >= 0 && share <= 1) && Math.abs(sum - 1) <= SUM_TOLERANCE;
}

/** Finite numbers only: an answer of NaN is none. */
function numbers(tensor: NamedTensor): number[] | undefined {
  if (tensor.datatype === 'BYTES' || tensor.datatype === 'BOOL') return undefined;
  const values = decodeElements(tensor, () => '').filter((value) => typeof value === 'number');
  return values.every((value) => Number.isFinite(value)) ? values : undefined;
}
