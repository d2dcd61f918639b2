/**
 * What a process has used so far, read from Linux's /proc. The processor time of workerd is what counts here: unlike
 * requests per second it hardly depends on what else the machine does.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

/** User and system time of all threads, in ms. Its resolution is one tick (10 ms as a rule). */
export function cpuMs(pid: number): number {
  return (1_000 * ticksOf(readFileSync(`/proc/${pid}/stat`, 'latin1'))) / ticksPerSecond;
}

/** The same to the microsecond, of the threads that still live. */
export function runningMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) => {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  });
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** utime + stime: fields 14 and 15. The name, in parentheses, may hold spaces, so fields are counted after it. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new TypeError('not a line of /proc/PID/stat');
  return ticks;
}

export function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) / 1_024;
}
