/**
 * A progress line for people: how many are done, how fast, how long still. Silent where nobody watches.
 */

export type Progress = { update(done: number): void; end(): void };

export type ProgressStream = { readonly isTTY?: boolean; write(text: string): unknown };

const WIDTH = 24;
const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001B[2K';

export function createProgress(title: string, total: number, stream: ProgressStream, nowMs: () => number): Progress {
  if (stream.isTTY !== true) return { update: () => undefined, end: () => undefined };
  const startedAtMs = nowMs();
  let drawnAtMs = -Infinity;
  return {
    update(done) {
      const now = nowMs();
      if (now - drawnAtMs < REDRAW_MS && done < total) return;
      drawnAtMs = now;
      stream.write(`${CLEAR_LINE}${progressLine(title, done, total, now - startedAtMs)}`);
    },
    end: () => stream.write(CLEAR_LINE),
  };
}

export function progressLine(title: string, done: number, total: number, elapsedMs: number): string {
  const ratio = total === 0 ? 1 : done / total;
  const filled = Math.round(ratio * WIDTH);
  const perSecond = elapsedMs > 0 ? (done / elapsedMs) * 1_000 : 0;
  const left = perSecond > 0 ? `${Math.ceil((total - done) / perSecond)} s left` : 'starting';
  return `${title} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}  ${perSecond.toFixed(0)}/s  ${left}`;
}
