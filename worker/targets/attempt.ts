/**
 * The bounds of one attempt: one timer, one caller, whichever ends first wins. Owns the promise that an attempt
 * neither throws nor outlives its time, even where the work ignores its signal; leaves out what the work does.
 */
import type { TargetResult } from '../ports.ts';
import { failed } from './failure.ts';

/**
 * One controller by hand instead of AbortSignal.any([caller, AbortSignal.timeout()]): it costs fewer objects and
 * tells a time-out from a caller that left.
 */
export function runAttempt(
  timeoutMs: number,
  caller: AbortSignal,
  work: (signal: AbortSignal) => Promise<TargetResult>,
): Promise<TargetResult> {
  if (caller.aborted) return Promise.resolve(failed('cancelled', 'the caller left before the attempt started'));
  if (!(timeoutMs > 0)) return Promise.resolve(failed('timeout', 'no time was left for the attempt'));
  return new Promise((resolve) => {
    const controller = new AbortController();
    let over = false;
    const finish = (result: TargetResult): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      caller.removeEventListener('abort', leave);
      resolve(result);
    };
    const leave = (): void => {
      finish(failed('cancelled', 'the caller left'));
      controller.abort();
    };
    const timer = setTimeout(() => {
      finish(failed('timeout', `no complete answer within ${Math.round(timeoutMs)} ms`));
      controller.abort();
    }, timeoutMs);
    caller.addEventListener('abort', leave);
    startWork(work, controller.signal).then(finish, () =>
      finish(failed('upstream_error', 'the attempt broke inside the gateway')),
    );
  });
}

/** Async, so that work which throws before its first await is a rejection too. */
async function startWork(
  work: (signal: AbortSignal) => Promise<TargetResult>,
  signal: AbortSignal,
): Promise<TargetResult> {
  return work(signal);
}
