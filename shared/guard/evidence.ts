/**
 * Evidence that accepted answers agree less often than promised, as a bet that may be checked at any time, for ever.
 * Owns the mathematics of one bet; which answers it is about, and what follows, is audit.ts.
 *
 * Betting after Waudby-Smith and Ramdas ("Estimating means of bounded random variables by betting", JRSS B 2024): a
 * gambler who stakes on disagreements, at odds fair were they exactly as frequent as allowed, cannot expect to win while
 * they are not more frequent; his wealth is a supermartingale, and by Ville's inequality (1939) it ever reaches 1/alpha
 * with probability at most alpha. He splits his first unit over ALTERNATIVES, and over the minutes at which a drift may
 * begin (the prior over change points of Shiryaev; e-detectors, Shin, Ramdas and Rinaldo 2022, with weights that sum to
 * one, so that the false alarm bound holds for an endless run): a stake waits, untouched, for its minute.
 */
import type { Tally } from './audit-counts.ts';

/** How many times more frequent than allowed the gambler supposes disagreements to be. */
const ALTERNATIVES = [1.3, 1.7, 2.3, 3.3, 5, 9] as const;
/** An alternative near one would stake all on a single agreement never coming. */
const HIGHEST_ALTERNATIVE = 0.9;
/** Half of the unit is staked at once: a calibration set unlike the traffic is a drift at minute 0. */
const FIRST_SHARE = 0.5;
/** Keeps wealth finite. Cutting a supermartingale down leaves it one. */
const MAX_WEALTH = 1e12;
const MAX_LOG_GAIN = 600;

/** Wealth of the stakes already in play, per alternative; stakes that still wait are not in it. */
export type Wealth = readonly number[];

export const NO_WEALTH: Wealth = ALTERNATIVES.map(() => 0);

/** Share of the unit whose minute lies after the given one. The j-th minute's own share falls as 1 / (j ln² j). */
function waitingAfter(minute: number): number {
  return minute < 0 ? 1 : (1 - FIRST_SHARE) / (1 + Math.log(1 + minute));
}

/**
 * The wealth after some minute's audits. The bets on them commute, so counts are all that matters.
 * @param previousMinute the last one already counted, since the calibration; -1 before the first
 */
export function bet(
  wealth: Wealth,
  counts: Tally,
  previousMinute: number,
  minute: number,
  allowedRatio: number,
): Wealth {
  const stake = (waitingAfter(previousMinute) - waitingAfter(minute)) / ALTERNATIVES.length;
  return ALTERNATIVES.map((factor, index) => {
    const supposed = supposedRatio(factor, allowedRatio);
    const gain = logGain(counts, supposed, allowedRatio);
    return Math.min(MAX_WEALTH, ((wealth[index] ?? 0) + stake) * Math.exp(Math.min(gain, MAX_LOG_GAIN)));
  });
}

/** All the gambler owns: what an alarm compares with 1/alpha. */
export function totalWealth(wealth: Wealth, minute: number): number {
  return wealth.reduce((sum, part) => sum + part, waitingAfter(minute));
}

/** Log likelihood ratio of "almost twice as many disagreements as allowed" against "just as many as allowed". */
export function driftScore(counts: Tally, allowedRatio: number): number {
  return logGain(counts, supposedRatio(DRIFT_FACTOR, allowedRatio), allowedRatio);
}

const DRIFT_FACTOR = 1.7;

function logGain(counts: Tally, supposed: number, allowedRatio: number): number {
  return (
    counts.disagreed * Math.log(supposed / allowedRatio) + counts.agreed * Math.log((1 - supposed) / (1 - allowedRatio))
  );
}

function supposedRatio(factor: number, allowedRatio: number): number {
  return Math.min(allowedRatio * factor, (allowedRatio + HIGHEST_ALTERNATIVE) / 2, HIGHEST_ALTERNATIVE);
}

/**
 * About how many audits pass from a drift to the alarm: what the best alternative's stake of that minute must win,
 * over what it wins per audit (Wald). Infinity where disagreements are not frequent enough for any bet to win.
 * @param minute of the drift, since the calibration
 */
export function auditsUntilAlarm(
  disagreementRatio: number,
  allowedRatio: number,
  falseAlarm: number,
  minute: number,
): number {
  const stake = (waitingAfter(minute - 1) - waitingAfter(minute)) / ALTERNATIVES.length;
  let least = Infinity;
  for (const factor of ALTERNATIVES) {
    const supposed = supposedRatio(factor, allowedRatio);
    const counts = { agreed: 1 - disagreementRatio, disagreed: disagreementRatio };
    const gain = logGain(counts, supposed, allowedRatio);
    if (gain > 0)
      least = Math.min(least, (Math.log(1 / (falseAlarm * stake)) + Math.log(supposed / allowedRatio)) / gain);
  }
  return least;
}
