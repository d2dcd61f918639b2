/**
 * Audits simulated: traffic drawn from validation rows, some accepted answers audited, one isolate's counts a minute fed
 * to the reducer. How soon a drift tightens the shortcut, and how often one is tightened that had not drifted.
 */
import { bandEdges } from '../../shared/guard/bands.ts';
import { initialAudit, reduceAudit, thresholdInForce } from '../../shared/guard/audit.ts';
import type { AuditPlan, AuditState } from '../../shared/guard/audit.ts';
import { countAudit, mergeCounts } from '../../shared/guard/audit-counts.ts';
import type { AuditCounts } from '../../shared/guard/audit-counts.ts';
import type { AgreementPromise } from '../../shared/guard/bounds.ts';
import { calibrate } from '../../shared/guard/calibrate.ts';
import { auditsUntilAlarm } from '../../shared/guard/evidence.ts';
import { NO_AUDITS, shouldAudit } from '../../shared/guard/should-audit.ts';
import { HORIZON_ANSWERS, judge, round } from './guard-resamples.ts';
import type { Row } from './guard-rows.ts';

const REQUESTS_PER_MINUTE = 1_000;
const FALSE_ALARM = 0.05;
const CALIBRATION_LABELS = 1_500;
const REQUESTS_BEFORE_DRIFT = 200_000;
const UNDRIFTED_REQUESTS = 1_000_000;
const OUT_OF_SCOPE = 'oos';

type Traffic = () => Row;

export function* auditFigures(
  rows: readonly Row[],
  promise: Pick<AgreementPromise, 'minAgreement' | 'confidence'>,
  runs: number,
  random: () => number,
): Generator<{ readonly figure: string } & Record<string, unknown>> {
  const usual = drawFrom(rows, random);
  for (const share of [0.02, 0.05]) {
    yield {
      figure: 'audit false alarms',
      ...falseAlarms(usual, rows, promise, share, runs, random, 'validation rows'),
    };
    yield {
      figure: 'audit false alarms',
      ...falseAlarms(
        atTheLimit(usual, promise.minAgreement, random),
        rows,
        promise,
        share,
        runs,
        random,
        'agreement exactly as promised',
      ),
    };
    for (const [drift, drifted] of drifts(rows, random)) {
      yield { figure: 'audit delay', drift, ...delays(usual, drifted, rows, promise, share, runs, random) };
    }
  }
}

function drawFrom(rows: readonly Row[], random: () => number): Traffic {
  const [first] = rows;
  if (first === undefined) throw new RangeError('no rows to draw traffic from');
  return () => rows[Math.floor(random() * rows.length)] ?? first;
}

/** The same confidences, each answer disagreeing with the probability the promise just allows. */
function atTheLimit(traffic: Traffic, minAgreement: number, random: () => number): Traffic {
  return () => ({ ...traffic(), agreed: random() < minAgreement });
}

/** Class mix swapped: the fifth of the classes on which the shortcut does worst becomes four fifths of the traffic. */
function drifts(rows: readonly Row[], random: () => number): readonly (readonly [string, readonly Row[]])[] {
  const size = 20_000;
  const outOfScope = drawFrom(
    rows.filter((row) => row.label === OUT_OF_SCOPE),
    random,
  );
  const usual = drawFrom(rows, random);
  const worst = worstClasses(rows);
  const hard = drawFrom(
    rows.filter((row) => worst.has(row.label)),
    random,
  );
  const easy = drawFrom(
    rows.filter((row) => !worst.has(row.label)),
    random,
  );
  return [
    ['20 % out of scope added', Array.from({ length: size }, (_, index) => (index % 5 === 0 ? outOfScope() : usual()))],
    ['60 % out of scope added', Array.from({ length: size }, (_, index) => (index % 5 < 3 ? outOfScope() : usual()))],
    ['class mix swapped', Array.from({ length: size }, (_, index) => (index % 5 === 0 ? easy() : hard()))],
  ];
}

function worstClasses(rows: readonly Row[]): ReadonlySet<string> {
  const agreement = [
    ...Map.groupBy(
      rows.filter((row) => row.label !== OUT_OF_SCOPE),
      (row) => row.label,
    ),
  ]
    .map(([label, members]) => ({ label, ratio: members.filter((row) => row.agreed).length / members.length }))
    .sort((a, b) => a.ratio - b.ratio || a.label.localeCompare(b.label));
  return new Set(agreement.slice(0, Math.ceil(agreement.length / 5)).map(({ label }) => label));
}

function plan(
  rows: readonly Row[],
  promise: Pick<AgreementPromise, 'minAgreement' | 'confidence'>,
  random: () => number,
): AuditPlan | undefined {
  const draw = drawFrom(rows, random);
  const pairs = Array.from({ length: CALIBRATION_LABELS }, draw);
  const calibration = calibrate(pairs, { ...promise, horizonAnswers: HORIZON_ANSWERS });
  if (calibration.kind === 'off') return undefined;
  return {
    calibrationId: 'simulated',
    calibratedAtMs: 0,
    bandEdges: bandEdges(pairs, calibration.threshold),
    minAgreement: promise.minAgreement,
    confidence: promise.confidence,
    falseAlarm: FALSE_ALARM,
    settleMinutes: 3,
  };
}

class Run {
  state: AuditState;
  requests = 0;
  audits = 0;
  accepted = 0;
  readonly #share: number;
  readonly #random: () => number;

  constructor(auditPlan: AuditPlan, share: number, random: () => number) {
    this.state = initialAudit(auditPlan);
    this.#share = share;
    this.#random = random;
  }

  /** One minute of traffic; its counts settle with the delay that several isolates need. */
  minute(traffic: Traffic): void {
    const nowMs = (this.requests / REQUESTS_PER_MINUTE) * 60_000;
    const policy = { share: this.#share, maxPerMinute: REQUESTS_PER_MINUTE };
    const threshold = thresholdInForce(this.state) ?? Infinity;
    let counts: AuditCounts = {};
    let budget = NO_AUDITS;
    for (let index = 0; index < REQUESTS_PER_MINUTE; index += 1) {
      const row = traffic();
      this.requests += 1;
      if (row.confidence < threshold) continue;
      this.accepted += 1;
      const drawn = shouldAudit(this.state, policy, budget, this.#random(), nowMs);
      budget = drawn.budget;
      if (!drawn.audit) continue;
      this.audits += 1;
      counts = mergeCounts(counts, countAudit(this.state.plan.bandEdges, row.confidence, row.agreed, nowMs) ?? {});
    }
    this.state = reduceAudit(this.state, { kind: 'counted', calibrationId: 'simulated', counts }, nowMs + 60_000);
  }
}

function falseAlarms(
  traffic: Traffic,
  rows: readonly Row[],
  promise: Pick<AgreementPromise, 'minAgreement' | 'confidence'>,
  share: number,
  runs: number,
  random: () => number,
  undrifted: string,
): Record<string, unknown> {
  let alarms = 0;
  let unkept = 0;
  let n = 0;
  let audits = 0;
  while (n < runs) {
    const auditPlan = plan(rows, promise, random);
    if (auditPlan === undefined) continue;
    const isAtLimit = undrifted !== 'validation rows';
    // A threshold whose promise never held is rightly tightened: not a false alarm. Counted apart.
    const isKept = isAtLimit || !judge(rows, auditPlan.bandEdges[0] ?? 0, promise.minAgreement).isViolated;
    const run = new Run(auditPlan, share, random);
    while (run.requests < UNDRIFTED_REQUESTS && run.state.level === 0) run.minute(traffic);
    n += 1;
    audits += run.audits;
    if (!isKept) unkept += 1;
    else if (run.state.level > 0) alarms += 1;
  }
  return {
    n: runs,
    undrifted,
    audit_share: share,
    requests_each: UNDRIFTED_REQUESTS,
    allowed: FALSE_ALARM,
    false_alarms: alarms / runs,
    calibrations_that_broke_their_promise: unkept,
    audits_per_request: round(audits / (runs * UNDRIFTED_REQUESTS)),
  };
}

function delays(
  usual: Traffic,
  drifted: readonly Row[],
  rows: readonly Row[],
  promise: Pick<AgreementPromise, 'minAgreement' | 'confidence'>,
  share: number,
  runs: number,
  random: () => number,
): Record<string, unknown> {
  const tightened: number[] = [];
  const predicted: number[] = [];
  const before: number[] = [];
  const after: number[] = [];
  let stillKept = 0;
  let notTightened = 0;
  let keptByStep = 0;
  let disabled = 0;
  const traffic = drawFrom(drifted, random);
  for (let index = 0; index < runs; index += 1) {
    const run = calibratedRun(usual, rows, promise, share, random);
    const { bandEdges: edges } = run.state.plan;
    const judged = [...edges, Infinity].map((edge) => judge(drifted, edge, promise.minAgreement));
    const [whole] = judged;
    if (whole === undefined) continue;
    before.push(whole.agreement);
    // A drift that the threshold withstands needs no alarm.
    if (!whole.isViolated) {
      stillKept += 1;
      continue;
    }
    const minute = run.requests / REQUESTS_PER_MINUTE;
    const audits = auditsUntilAlarm(1 - whole.agreement, 1 - promise.minAgreement, FALSE_ALARM, minute);
    predicted.push(audits / (share * whole.coverage));
    const startedAt = run.requests;
    while (run.state.level === 0 && run.requests - startedAt < UNDRIFTED_REQUESTS) run.minute(traffic);
    const { level } = run.state;
    if (level === 0) notTightened += 1;
    // Printed as null: beyond what was simulated.
    tightened.push(level === 0 ? Infinity : run.requests - startedAt);
    if (judged[level]?.isViolated === false) keptByStep += 1;
    after.push(judged[level]?.agreement ?? 1);
    if (level === edges.length) disabled += 1;
  }
  return {
    n: runs,
    audit_share: share,
    agreement_after_drift: round(mean(before)),
    drift_withstood: stillKept,
    drift_breaks_promise: runs - stillKept,
    requests_until_tightened: quantiles(tightened),
    predicted_requests: quantiles(predicted),
    not_tightened_within_1000000: notTightened,
    promise_kept_after_first_step: keptByStep,
    agreement_after_first_step: round(mean(after)),
    ended_disabled: disabled,
  };
}

/** Calibrated, and then not alarmed before the drift. */
function calibratedRun(
  usual: Traffic,
  rows: readonly Row[],
  promise: Pick<AgreementPromise, 'minAgreement' | 'confidence'>,
  share: number,
  random: () => number,
): Run {
  for (;;) {
    const auditPlan = plan(rows, promise, random);
    if (auditPlan === undefined) continue;
    const run = new Run(auditPlan, share, random);
    while (run.requests < REQUESTS_BEFORE_DRIFT) run.minute(usual);
    if (run.state.level === 0) return run;
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 1 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function quantiles(values: readonly number[]): { p50: number; p95: number; max: number } | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}
