/**
 * Which processor cores a benchmark may use, and how they are shared out: one for workerd, the others for what loads it.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type CoreShares = {
  /** A command and its first arguments that pin what follows to workerd's core; empty where nothing can be pinned. */
  readonly worker: readonly string[];
  readonly load: readonly string[];
};

/** Of util-linux; where it is missing nothing is pinned. */
const PIN = 'taskset';

export function shareCores(): CoreShares {
  const [first, ...others] = allowedCores();
  const canPin = spawnSync(PIN, ['--version'], { stdio: 'ignore' }).status === 0;
  if (!canPin || first === undefined || others.length === 0) return { worker: [], load: [] };
  return { worker: [PIN, '-c', String(first)], load: [PIN, '-c', others.join(',')] };
}

/** Linux only; elsewhere empty. */
function allowedCores(): readonly number[] {
  try {
    return parseCoreList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '');
  } catch {
    return [];
  }
}

/** `0-2,5` is 0, 1, 2 and 5. */
export function parseCoreList(text: string): readonly number[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = '', to = from] = part.split('-');
      return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => Number(from) + index);
    });
}
