import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FailureReason } from '../../../shared/decide/plan-types.ts';
import type { BreakerEvent, BreakerState } from '../../../shared/resilience/breaker.ts';
import {
  breakerVerdict,
  countsAgainstBreaker,
  initialBreaker,
  reduceBreaker,
} from '../../../shared/resilience/breaker.ts';

const policy = { failure_ratio: 0.5, minimum_calls: 4, window_ms: 10_000, open_ms: 1_000, max_open_ms: 5_000 };
const START_MS = 1_700_000_000_000;

type Kind = BreakerEvent['kind'];

/** Runs events, each `ms` after the start. */
function run(
  events: readonly (readonly [ms: number, kind: Kind])[],
  from: BreakerState = initialBreaker,
): BreakerState {
  return events.reduce((state, [ms, kind]) => reduceBreaker(state, { kind }, START_MS + ms, policy), from);
}

function verdict(state: BreakerState, ms: number): string {
  return breakerVerdict(state, START_MS + ms);
}

const broken = run([
  [0, 'failure'],
  [1, 'failure'],
  [2, 'failure'],
  [3, 'failure'],
]);

describe('breaker', () => {
  it('stays closed below the minimum of calls, whatever fails', () => {
    expect(
      verdict(
        run([
          [0, 'failure'],
          [1, 'failure'],
          [2, 'failure'],
        ]),
        3,
      ),
    ).toBe('closed');
  });

  it('opens at the failure ratio', () => {
    expect(
      verdict(
        run([
          [0, 'success'],
          [1, 'success'],
          [2, 'failure'],
          [3, 'failure'],
        ]),
        4,
      ),
    ).toBe('open');
    expect(
      verdict(
        run([
          [0, 'success'],
          [1, 'success'],
          [2, 'success'],
          [3, 'failure'],
        ]),
        4,
      ),
    ).toBe('closed');
  });

  it('forgets what has left the window', () => {
    const state = run([
      [0, 'failure'],
      [1, 'failure'],
      [2, 'failure'],
      [12_000, 'failure'],
    ]);
    expect(verdict(state, 12_001)).toBe('closed');
    expect(
      verdict(
        run(
          [
            [12_001, 'failure'],
            [12_002, 'failure'],
            [12_003, 'failure'],
          ],
          state,
        ),
        12_004,
      ),
    ).toBe('open');
  });

  it('holds a bounded number of buckets however long it runs', () => {
    let state = initialBreaker;
    for (let ms = 0; ms < 100_000; ms += 77) state = run([[ms, 'success']], state);
    expect(state.kind === 'closed' && state.buckets.length).toBeLessThanOrEqual(10);
  });

  it('skips while open, then allows one probe and skips all others', () => {
    expect(verdict(broken, 1_002)).toBe('open');
    expect(verdict(broken, 1_003)).toBe('probe_allowed');
    const probing = run([[1_003, 'probe_started']], broken);
    expect(verdict(probing, 1_004)).toBe('half_open_busy');
    expect(run([[1_500, 'probe_started']], probing)).toBe(probing);
  });

  it('closes with a clean sheet when the probe succeeds', () => {
    expect(
      run(
        [
          [1_003, 'probe_started'],
          [1_010, 'success'],
        ],
        broken,
      ),
    ).toMatchObject({ kind: 'closed', buckets: [] });
  });

  it('stays open twice as long after each failed probe, up to the maximum', () => {
    const openMs: number[] = [];
    let state = broken;
    let ms = 3;
    for (let round = 0; round < 5; round += 1) {
      if (state.kind !== 'open') throw new Error('not open');
      openMs.push(state.openMs);
      ms += state.openMs;
      state = run(
        [
          [ms, 'probe_started'],
          [ms, 'failure'],
        ],
        state,
      );
    }
    expect(openMs).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it('lets the next request probe when a probe was abandoned, and remembers how often probes failed', () => {
    const again = run(
      [
        [1_003, 'probe_started'],
        [1_004, 'failure'],
        [3_004, 'probe_started'],
        [3_005, 'probe_abandoned'],
      ],
      broken,
    );
    expect(verdict(again, 3_005)).toBe('probe_allowed');
    expect(
      run(
        [
          [3_006, 'probe_started'],
          [3_007, 'failure'],
        ],
        again,
      ),
    ).toMatchObject({ kind: 'open', openMs: 4_000 });
  });

  it('gives up on a probe that never reports', () => {
    const probing = run([[1_003, 'probe_started']], broken);
    expect(verdict(probing, 2_002)).toBe('half_open_busy');
    expect(verdict(probing, 2_003)).toBe('probe_allowed');
    const second = run([[2_003, 'probe_started']], probing);
    expect(verdict(second, 2_004)).toBe('half_open_busy');
    expect(verdict(run([[2_010, 'success']], second), 2_011)).toBe('closed');
  });

  it('ignores late results of calls from before the opening', () => {
    expect(
      run(
        [
          [500, 'success'],
          [501, 'failure'],
          [502, 'probe_started'],
          [503, 'probe_abandoned'],
        ],
        broken,
      ),
    ).toBe(broken);
  });

  describe.each(['failure', 'probe_abandoned'] as const)('a %s of a call that hung through the outage', (kind) => {
    const late = (state: BreakerState, ms: number, startedMs: number): BreakerState =>
      reduceBreaker(state, { kind, startedAtMs: START_MS + startedMs }, START_MS + ms, policy);
    const probing = run([[1_003, 'probe_started']], broken);
    const closed = run([[1_010, 'success']], probing);

    it('is not the probe, nor a new outage once the probe has closed the breaker', () => {
      expect(late(broken, 1_003, 2)).toBe(broken);
      expect(late(probing, 1_005, 2)).toBe(probing);
      let state = closed;
      for (let ms = 1_011; ms < 1_100; ms += 1) state = late(state, ms, 2);
      expect(state).toBe(closed);
    });

    it('counts where it began after the opening, or the clock has gone back', () => {
      expect(late(probing, 1_005, 1_003).kind).toBe('open');
      expect(late(probing, -500_000, -600_000).kind).toBe('open');
      if (kind === 'failure') {
        let state = closed;
        for (let ms = -500_000; ms < -499_900; ms += 10) state = late(state, ms, ms - 5);
        expect(state.kind).toBe('open');
      }
    });
  });

  it('takes a result after the open time for a probe, announced or not', () => {
    expect(run([[1_003, 'success']], broken)).toMatchObject({ kind: 'closed', buckets: [] });
    expect(run([[1_003, 'failure']], broken)).toMatchObject({ kind: 'open', openMs: 2_000 });
    expect(run([[1_003, 'probe_abandoned']], broken)).toBe(broken);
  });

  it('ignores probe events while closed', () => {
    expect(
      run([
        [0, 'probe_started'],
        [1, 'probe_abandoned'],
      ]),
    ).toBe(initialBreaker);
  });

  it('counts buckets from a future, once the clock went back, as of now', () => {
    const state = run([
      [3_600_000, 'failure'],
      [3_600_001, 'failure'],
      [3_600_002, 'failure'],
      [0, 'success'],
    ]);
    expect(verdict(run([[1, 'failure']], state), 2)).toBe('open');
    expect(verdict(run([[12_000, 'failure']], state), 12_001)).toBe('closed');
  });

  const arbitraryEvents = fc.array(
    fc.record({
      kind: fc.constantFrom<Kind>('success', 'failure', 'probe_started', 'probe_abandoned'),
      stepMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.constantFrom(-86_400_000, -10, 86_400_000)),
    }),
    { maxLength: 60 },
  );

  it('is never wedged: whatever happened and however the clock jumped, a probe is allowed soon and a success closes it', () => {
    fc.assert(
      fc.property(arbitraryEvents, (events) => {
        let state = initialBreaker;
        let nowMs = START_MS;
        for (const { kind, stepMs } of events) {
          nowMs += stepMs;
          state = reduceBreaker(state, { kind }, nowMs, policy);
        }
        const laterMs = nowMs + policy.max_open_ms;
        expect(['closed', 'probe_allowed']).toContain(breakerVerdict(state, laterMs));
        const probing = reduceBreaker(state, { kind: 'probe_started' }, laterMs, policy);
        expect(breakerVerdict(reduceBreaker(probing, { kind: 'success' }, laterMs, policy), laterMs)).toBe('closed');
      }),
    );
  });

  it('allows one probe at a time while the clock runs forward', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), (afterMs) => {
        const probing = run([[1_003, 'probe_started']], broken);
        expect(verdict(probing, 1_003 + afterMs)).toBe('half_open_busy');
      }),
    );
  });

  it('opens exactly where a count over the window says so', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (failures) => {
        let state = initialBreaker;
        let isOpen = false;
        let failed = 0;
        failures.forEach((isFailure, position) => {
          if (isOpen) return;
          state = run([[position, isFailure ? 'failure' : 'success']], state);
          failed += isFailure ? 1 : 0;
          isOpen = isFailure && position + 1 >= policy.minimum_calls && failed / (position + 1) >= policy.failure_ratio;
          expect(state.kind === 'open').toBe(isOpen);
        });
      }),
    );
  });

  it.each<[FailureReason, boolean]>([
    ['timeout', true],
    ['connect_failed', true],
    ['cut', true],
    ['garbage', true],
    ['upstream_error', true],
    ['credentials', true],
    ['throttled', false],
    ['not_ready', false],
    ['rejected', false],
    ['cancelled', false],
    ['model_broken', false],
  ])('of %s it holds against the target: %s', (reason, counts) => {
    expect(countsAgainstBreaker(reason)).toBe(counts);
  });
});
