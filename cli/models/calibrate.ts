/**
 * The temperature at which confidences are most likely, given labelled examples. Pure.
 */

export type Scored = { readonly logits: Float32Array; readonly labelIndex: number };

const GOLDEN = (Math.sqrt(5) - 1) / 2;
const STEPS = 60;

/** Golden section over the logarithm: the likelihood has one maximum. */
export function fitTemperature(examples: readonly Scored[]): number {
  let [low, high] = [Math.log(0.05), Math.log(20)];
  for (let step = 0; step < STEPS; step += 1) {
    const [a, b] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    if (meanLoss(examples, Math.exp(a)) < meanLoss(examples, Math.exp(b))) high = b;
    else low = a;
  }
  return Number(Math.exp((low + high) / 2).toFixed(4));
}

function meanLoss(examples: readonly Scored[], temperature: number): number {
  const losses = examples.map(({ logits, labelIndex }) => {
    const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = logits.reduce((total, logit) => total + Math.exp((logit - largest) / temperature), 0);
    return Math.log(sum) - ((logits[labelIndex] ?? 0) - largest) / temperature;
  });
  return losses.reduce((total, loss) => total + loss, 0) / Math.max(1, losses.length);
}

export function indexOfLargest(values: ArrayLike<number>): number {
  let at = 0;
  for (let i = 1; i < values.length; i += 1) if ((values[i] ?? 0) > (values[at] ?? 0)) at = i;
  return at;
}
