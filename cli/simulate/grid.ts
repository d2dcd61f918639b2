/**
 * Chooses a cascade's thresholds on rows: of the combinations that agree with the clairvoyant choice of place as often as
 * any, by one standard error, that lose at most a point of accuracy against the reference alone and leave at most 1.5 % to
 * the cloud, the most accurate. Owns what is tried and which is best; on the rows alone, because network and load do not
 * change what an answer says. The simulator then runs what was chosen.
 */
import type { Answers } from './answers.ts';

/** A step whose threshold nothing reaches is left out of the cascade. */
export const LEFT_OUT = 1.01;
const THRESHOLDS = [
  0,
  0.2,
  0.25,
  0.3,
  0.325,
  0.35,
  0.375,
  0.4,
  0.425,
  0.45,
  0.475,
  0.5,
  0.6,
  0.7,
  0.8,
  0.85,
  0.9,
  0.95,
  0.98,
  LEFT_OUT,
] as const;
const MAX_LOSS = 0.01;
/** The 99th percentile is the cloud's as soon as one request in a hundred leaves the edge; a little above, its nearest region's. */
const MAX_AWAY = 0.015;

/** A step of the cascade: its variant, and the kind of place that answers it. */
export type GridStep = { readonly variant: number; readonly name: string; readonly kind: string };

export type Tried = {
  readonly accept: Readonly<Record<string, number>>;
  readonly routingAccuracy: number;
  readonly accuracy: number;
  readonly agreement: number;
  /** Share that each step answers. */
  readonly shares: readonly number[];
};

export type Grid = {
  readonly tried: readonly Tried[];
  readonly referenceAccuracy: number;
  /** Undefined where nothing keeps within the loss. */
  readonly chosen: Tried | undefined;
};

/** @param steps in order; the last is the reference and answers whatever is left */
export function searchThresholds(answers: Answers, steps: readonly GridStep[]): Grid {
  const reference = steps.at(-1);
  if (reference === undefined) throw new RangeError('a cascade has at least one step');
  const rows = Array.from({ length: answers.rows }, (_, row) => row);
  const oracle = rows.map((row) => steps.find((step) => agrees(answers, row, step, reference))?.kind);
  const tried = combinations(steps.length - 1).map((thresholds) =>
    tryOut(answers, steps, thresholds, reference, oracle),
  );
  const referenceAccuracy = share(rows, (row) => answers.predicted[reference.variant]?.[row] === answers.truth[row]);
  const isAway = (_: number, position: number): boolean => steps[position]?.kind !== 'edge';
  const within = tried.filter(
    ({ accuracy, shares }) =>
      referenceAccuracy - accuracy <= MAX_LOSS &&
      shares.filter(isAway).reduce((sum, answered) => sum + answered, 0) <= MAX_AWAY,
  );
  const best = within.reduce((most, { routingAccuracy }) => Math.max(most, routingAccuracy), 0);
  const error = Math.sqrt((best * (1 - best)) / answers.rows);
  let chosen: Tried | undefined;
  for (const one of within) {
    if (one.routingAccuracy >= best - error && (chosen === undefined || isBetter(one, chosen))) chosen = one;
  }
  return { tried, referenceAccuracy, chosen };
}

/** Of equally accurate ones the one that routes better, then the one with a step fewer (tried later). */
function isBetter(a: Tried, b: Tried): boolean {
  if (a.accuracy !== b.accuracy) return a.accuracy > b.accuracy;
  return a.routingAccuracy >= b.routingAccuracy;
}

function agrees(answers: Answers, row: number, step: GridStep, reference: GridStep): boolean {
  return answers.predicted[step.variant]?.[row] === answers.predicted[reference.variant]?.[row];
}

function tryOut(
  answers: Answers,
  steps: readonly GridStep[],
  thresholds: readonly number[],
  reference: GridStep,
  oracle: readonly (string | undefined)[],
): Tried {
  const counts = steps.map(() => 0);
  let routed = 0;
  let right = 0;
  let agreed = 0;
  for (let row = 0; row < answers.rows; row += 1) {
    const position = stepOf(answers, steps, thresholds, row);
    const step = steps[position] ?? reference;
    counts[position] = (counts[position] ?? 0) + 1;
    const said = answers.predicted[step.variant]?.[row];
    if (said === answers.truth[row]) right += 1;
    if (said === answers.predicted[reference.variant]?.[row]) agreed += 1;
    if (step.kind === oracle[row]) routed += 1;
  }
  return {
    accept: Object.fromEntries(steps.slice(0, -1).map(({ name }, index) => [name, thresholds[index] ?? 0])),
    routingAccuracy: routed / answers.rows,
    accuracy: right / answers.rows,
    agreement: agreed / answers.rows,
    shares: counts.map((count) => count / answers.rows),
  };
}

function stepOf(answers: Answers, steps: readonly GridStep[], thresholds: readonly number[], row: number): number {
  for (let position = 0; position < steps.length - 1; position += 1) {
    const confidence = answers.confidence[steps[position]?.variant ?? 0]?.[row] ?? 0;
    if (confidence >= (thresholds[position] ?? LEFT_OUT)) return position;
  }
  return steps.length - 1;
}

function combinations(length: number): readonly (readonly number[])[] {
  let sofar: readonly (readonly number[])[] = [[]];
  for (let step = 0; step < length; step += 1) {
    sofar = sofar.flatMap((one) => THRESHOLDS.map((threshold) => [...one, threshold]));
  }
  return sofar;
}

function share(rows: readonly number[], isCounted: (row: number) => boolean): number {
  return rows.filter(isCounted).length / rows.length;
}
