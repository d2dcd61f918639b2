/**
 * Waits until a version is in force everywhere: every isolate that is answering requests holds it, by its own report. Owns
 * who must be waited for; an isolate that no longer reports serves nobody and is named, not waited for for ever.
 */
import type { IsolateReport } from '../../shared/control/isolate-report.ts';

export type Waited = {
  readonly everywhere: boolean;
  /** Isolates that hold the version, and how long after the publish the last of them had it in force. */
  readonly holding: readonly IsolateReport[];
  /** Have reported since and hold another. */
  readonly behind: readonly IsolateReport[];
  /** Reported shortly before the publish, not since. */
  readonly silent: readonly IsolateReport[];
  readonly slowestMs: number | null;
};

export type WaitOptions = {
  readonly version: number;
  readonly publishedAtMs: number;
  readonly withinMs: number;
  readonly read: () => Promise<readonly IsolateReport[]>;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
};

const POLL_MS = 1_000;

export async function waitUntilHeld(options: WaitOptions): Promise<Waited> {
  const { publishedAtMs, withinMs, nowMs } = options;
  for (;;) {
    const waited = judge(await options.read(), options.version, publishedAtMs);
    const isOver = nowMs() - publishedAtMs >= withinMs || options.signal.aborted;
    if (isOver || (waited.everywhere && waited.silent.length === 0)) return waited;
    await options.sleep(POLL_MS);
  }
}

function judge(reports: readonly IsolateReport[], version: number, publishedAtMs: number): Waited {
  const wanted = String(version);
  const holding = reports.filter(({ configVersion }) => configVersion === wanted);
  const others = reports.filter(({ configVersion }) => configVersion !== wanted);
  const behind = others.filter(({ reportedAtMs }) => reportedAtMs > publishedAtMs);
  const silent = others.filter(({ reportedAtMs }) => reportedAtMs <= publishedAtMs);
  return {
    everywhere: holding.length > 0 && behind.length === 0,
    holding,
    behind,
    silent,
    slowestMs: holding.length === 0 ? null : Math.max(0, ...holding.map((one) => one.inForceSinceMs - publishedAtMs)),
  };
}
