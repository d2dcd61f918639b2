/**
 * The arithmetic of an evaluation, on rows small enough to work out by hand.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quantiles, score, type RowAnswer, type ScoredRow } from '../../cli/score.ts';

const OPTIONS = { outOfScopeLabel: 'oos', referenceVariant: 'large' };

function answer(label: string, change: Partial<RowAnswer> = {}): RowAnswer {
  return {
    label,
    confidence: 1,
    variant: 'micro',
    atEdge: true,
    escalated: false,
    fellBack: false,
    roundTripMs: 2,
    gatewayMs: 1,
    costUsd: 1,
    cloudOnlyCostUsd: 4,
    ...change,
  };
}

function row(
  expected: string,
  given: RowAnswer | undefined,
  referenceLabel?: string,
  referenceCostUsd?: number,
): ScoredRow {
  return { expected, answer: given, referenceLabel, referenceCostUsd };
}

describe('score', () => {
  it('counts an error as a wrong answer and leaves it out of every share of answers', () => {
    const figures = score([row('a', answer('a', { escalated: true })), row('a', undefined)], OPTIONS);
    expect(figures).toMatchObject({ n: 2, error_count: 1, accuracy: 0.5, escalation_rate: 1, edge_share: 1 });
  });

  it('tells accuracy in scope from recall out of scope', () => {
    const rows = [row('a', answer('a')), row('b', answer('oos')), row('oos', answer('oos')), row('oos', answer('a'))];
    expect(score([...rows, row('b', answer('b'))], OPTIONS)).toMatchObject({
      accuracy: 3 / 5,
      accuracy_in_scope: 2 / 3,
      oos_recall: 1 / 2,
    });
  });

  it('has no scope where the model has no out-of-scope label, even if a class is called so', () => {
    const figures = score([row('oos', answer('oos'))], { ...OPTIONS, outOfScopeLabel: null });
    expect(figures).toMatchObject({ accuracy: 1, accuracy_in_scope: null, oos_recall: null });
  });

  it('gives accuracy per variant that answered, in the order of names', () => {
    const rows = [
      row('a', answer('a', { variant: 'micro' })),
      row('a', answer('b', { variant: 'base' })),
      row('a', answer('a', { variant: 'base' })),
    ];
    const { accuracy_by_variant: byVariant } = score(rows, OPTIONS);
    expect(Object.entries(byVariant)).toEqual([
      ['base', { n: 2, accuracy: 0.5 }],
      ['micro', { n: 1, accuracy: 1 }],
    ]);
  });

  it('compares with the reference only where both answered, and shortcuts only where another variant did', () => {
    const rows = [
      row('a', answer('a'), 'a'),
      row('a', answer('b'), 'a'),
      row('a', answer('c', { variant: 'large' }), 'c'),
      row('a', answer('a'), undefined),
      row('a', undefined, 'a'),
    ];
    expect(score(rows, OPTIONS)).toMatchObject({
      agreement: 2 / 3,
      agreement_of_shortcuts: 1 / 2,
      reference_accuracy: 3 / 4,
    });
  });

  it('tells escalations from fallbacks, and the edge from the cloud', () => {
    const rows = [
      row('a', answer('a')),
      row('a', answer('a', { escalated: true, atEdge: false })),
      row('a', answer('a', { escalated: true, fellBack: true, atEdge: false })),
      row('a', answer('a', { fellBack: true, atEdge: false })),
    ];
    expect(score(rows, OPTIONS)).toMatchObject({ escalation_rate: 0.5, fallback_rate: 0.5, edge_share: 0.25 });
  });

  it('saves what was not spent against cloud-only', () => {
    const rows = [row('a', answer('a', { costUsd: 1 })), row('a', answer('a', { costUsd: 3 }))];
    expect(score(rows, OPTIONS)).toMatchObject({
      cost_usd_per_request: 2,
      cloud_only_cost_usd_per_request: 4,
      saving: 0.5,
    });
  });

  it('sets its cost against what the reference was billed for the rows it answered', () => {
    const rows = [row('a', answer('a', { costUsd: 1 }), 'a', 10), row('a', answer('a', { costUsd: 3 }), undefined)];
    expect(score(rows, OPTIONS)).toMatchObject({ reference_cost_usd_per_request: 10, saving_against_reference: 0.8 });
  });

  it('measures calibration as the gap between confidence and accuracy in bins of equal width', () => {
    // One bin with mean confidence 0.61 and accuracy 0.5, one with 0.99 and 1: each holds half of the rows.
    const rows = [
      row('a', answer('a', { confidence: 0.605 })),
      row('a', answer('b', { confidence: 0.615 })),
      row('a', answer('a', { confidence: 0.985 })),
      row('a', answer('a', { confidence: 0.995 })),
    ];
    expect(score(rows, OPTIONS).ece).toBeCloseTo(0.5 * 0.11 + 0.5 * 0.01, 12);
  });

  it('puts a confidence of exactly 1 into the last bin', () => {
    expect(score([row('a', answer('b', { confidence: 1 }))], OPTIONS).ece).toBe(1);
  });

  it('says null, not zero, of what was never measured', () => {
    expect(score([row('a', undefined)], OPTIONS)).toMatchObject({
      accuracy: 0,
      oos_recall: null,
      edge_share: null,
      latency_ms: { p50: null, p95: null, p99: null },
      cost_usd_per_request: null,
      saving: null,
      agreement: null,
      ece: null,
    });
    expect(score([], OPTIONS).accuracy).toBeNull();
  });
});

describe('quantiles', () => {
  it('takes the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantiles(values)).toEqual({ p50: 50, p95: 95, p99: 99 });
    expect(quantiles([7])).toEqual({ p50: 7, p95: 7, p99: 7 });
  });

  it('always gives values that were measured, in order', () => {
    const values = fc.array(fc.double({ noNaN: true, min: 0, max: 1e6 }), { minLength: 1 });
    fc.assert(
      fc.property(values, (measured) => {
        const { p50, p95, p99 } = quantiles(measured);
        for (const value of [p50, p95, p99]) expect(measured).toContain(value);
        expect((p50 ?? 0) <= (p95 ?? 0) && (p95 ?? 0) <= (p99 ?? 0)).toBe(true);
      }),
    );
  });
});
