/**
 * The arithmetic of an evaluation: labelled rows and what the gateway answered, to figures. Pure; owns every definition
 * a report states. A share over nothing is null, never 0 or 1.
 */

/** What one row's answer was, as far as figures need it. */
export type RowAnswer = {
  readonly label: string;
  /** 0..1 */
  readonly confidence: number;
  /** The variant that gave the answer, for a cached one too. */
  readonly variant: string;
  /** Answered in the isolate or by a cache. */
  readonly atEdge: boolean;
  /** At least one attempt was made because the answer before was not good enough. */
  readonly escalated: boolean;
  /** At least one attempt was made because the one before failed. */
  readonly fellBack: boolean;
  readonly roundTripMs: number;
  readonly gatewayMs: number;
  readonly costUsd: number;
  readonly cloudOnlyCostUsd: number;
};

export type ScoredRow = {
  readonly expected: string;
  /** Undefined where the gateway gave an error. */
  readonly answer: RowAnswer | undefined;
  /** What the reference variant says of the same input; undefined where it was not asked or failed. */
  readonly referenceLabel: string | undefined;
  /** What that answer cost. */
  readonly referenceCostUsd: number | undefined;
};

export type ScoreOptions = { readonly outOfScopeLabel: string | null; readonly referenceVariant: string };

/** Milliseconds; null where nothing was answered. */
export type Quantiles = { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };

export type Figures = {
  /** Rows sent. */
  readonly n: number;
  /** Rows the gateway gave no answer to. */
  readonly error_count: number;
  /** Rows answered with their label / rows. An error is a wrong answer. */
  readonly accuracy: number | null;
  /** The same over rows whose label is not out of scope; null where the model has no such label. */
  readonly accuracy_in_scope: number | null;
  /** Rows out of scope that were answered so / rows out of scope; null where the model has no such label. */
  readonly oos_recall: number | null;
  /** Per variant that gave answers: how many, and the share of them that is right. */
  readonly accuracy_by_variant: Readonly<Record<string, { readonly n: number; readonly accuracy: number | null }>>;
  /** Answers given in the isolate or by a cache / answers. */
  readonly edge_share: number | null;
  /** Answers with at least one escalation / answers. */
  readonly escalation_rate: number | null;
  /** Answers with at least one fallback / answers. */
  readonly fallback_rate: number | null;
  /** From sending a request to having parsed its answer, as this client saw it. */
  readonly latency_ms: Quantiles;
  /** As the gateway reports it. An isolate's clock stands still while it computes, so an answer at the edge reads as 0. */
  readonly gateway_latency_ms: Quantiles;
  /** Mean over answers, every attempt and the gateway itself included. */
  readonly cost_usd_per_request: number | null;
  /** Mean over the same answers, had each come from the reference variant, as the gateway estimates it while it runs. */
  readonly cloud_only_cost_usd_per_request: number | null;
  /** 1 - cost / cloud-only cost. */
  readonly saving: number | null;
  /** Mean over the reference variant's own answers, as billed: what the estimate of cloud-only is worth. */
  readonly reference_cost_usd_per_request: number | null;
  /** 1 - cost / reference cost. */
  readonly saving_against_reference: number | null;
  /** Rows where the answer is what the reference variant says / rows where both answered. */
  readonly agreement: number | null;
  /** The same over answers that another variant than the reference gave: what the shortcuts risk. */
  readonly agreement_of_shortcuts: number | null;
  /** Accuracy of the reference variant over the rows it answered. */
  readonly reference_accuracy: number | null;
  /** Expected calibration error of the answers: 15 bins of equal width, weighted mean of |confidence - accuracy|. */
  readonly ece: number | null;
};

type AnsweredRow = ScoredRow & { readonly answer: RowAnswer };

export function score(rows: readonly ScoredRow[], options: ScoreOptions): Figures {
  const { outOfScopeLabel, referenceVariant } = options;
  const answered = rows.filter((row): row is AnsweredRow => row.answer !== undefined);
  const answers = answered.map((row) => row.answer);
  const hasScope = outOfScopeLabel !== null;
  const compared = answered.filter((row) => row.referenceLabel !== undefined);
  const shortcuts = compared.filter((row) => row.answer.variant !== referenceVariant);
  const costUsd = mean(answers.map((answer) => answer.costUsd));
  const cloudOnlyUsd = mean(answers.map((answer) => answer.cloudOnlyCostUsd));
  const referenceUsd = mean(rows.flatMap((row) => row.referenceCostUsd ?? []));
  return {
    n: rows.length,
    error_count: rows.length - answered.length,
    accuracy: share(rows, isRight),
    accuracy_in_scope: hasScope
      ? share(
          rows.filter((row) => row.expected !== outOfScopeLabel),
          isRight,
        )
      : null,
    oos_recall: hasScope
      ? share(
          rows.filter((row) => row.expected === outOfScopeLabel),
          isRight,
        )
      : null,
    accuracy_by_variant: accuracyByVariant(answered),
    edge_share: share(answers, (answer) => answer.atEdge),
    escalation_rate: share(answers, (answer) => answer.escalated),
    fallback_rate: share(answers, (answer) => answer.fellBack),
    latency_ms: quantiles(answers.map((answer) => answer.roundTripMs)),
    gateway_latency_ms: quantiles(answers.map((answer) => answer.gatewayMs)),
    cost_usd_per_request: costUsd,
    cloud_only_cost_usd_per_request: cloudOnlyUsd,
    saving: saved(costUsd, cloudOnlyUsd),
    reference_cost_usd_per_request: referenceUsd,
    saving_against_reference: saved(costUsd, referenceUsd),
    agreement: share(compared, agrees),
    agreement_of_shortcuts: share(shortcuts, agrees),
    reference_accuracy: share(
      rows.filter((row) => row.referenceLabel !== undefined),
      (row) => row.referenceLabel === row.expected,
    ),
    ece: calibrationError(answered),
  };
}

function isRight(row: ScoredRow): boolean {
  return row.answer?.label === row.expected;
}

function agrees(row: AnsweredRow): boolean {
  return row.answer.label === row.referenceLabel;
}

/** Variants in the order of their names, so that two reports compare line by line. */
function accuracyByVariant(rows: readonly AnsweredRow[]): Figures['accuracy_by_variant'] {
  const variants = [...new Set(rows.map((row) => row.answer.variant))].toSorted();
  return Object.fromEntries(
    variants.map((variant) => {
      const given = rows.filter((row) => row.answer.variant === variant);
      return [variant, { n: given.length, accuracy: share(given, isRight) }];
    }),
  );
}

const CALIBRATION_BINS = 15;

/** As the models' cards have it, so that both can be compared. */
function calibrationError(rows: readonly AnsweredRow[]): number | null {
  if (rows.length === 0) return null;
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ confidence: 0, right: 0 }));
  for (const row of rows) {
    const bin = bins[Math.min(CALIBRATION_BINS - 1, Math.floor(row.answer.confidence * CALIBRATION_BINS))];
    if (bin === undefined) continue;
    bin.confidence += row.answer.confidence;
    bin.right += isRight(row) ? 1 : 0;
  }
  // |mean confidence - accuracy| weighted with the bin's share: its count cancels out.
  return bins.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.right), 0) / rows.length;
}

function saved(cost: number | null, against: number | null): number | null {
  return cost === null || against === null || against === 0 ? null : 1 - cost / against;
}

function share<T>(of: readonly T[], is: (value: T) => boolean): number | null {
  return of.length === 0 ? null : of.filter((value) => is(value)).length / of.length;
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Nearest rank: always a value that was measured. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (ratio: number) => sorted[Math.max(0, Math.ceil(ratio * sorted.length) - 1)] ?? null;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
