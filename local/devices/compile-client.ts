/**
 * Builds the reference client in C99 where this machine has a compiler. Owns finding out and running make; what the client does
 * is devices/mcu.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from '../bundle-worker.ts';

type Compiled =
  | { readonly kind: 'compiled'; readonly file: string }
  | { readonly kind: 'no_compiler'; readonly why: string };

/** @param program as its Makefile names it, such as `hybrid-device` */
export function compileClient(program: string): Compiled {
  const folder = join(REPOSITORY_ROOT, 'devices/mcu');
  for (const tool of ['make', 'cc']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) {
      return { kind: 'no_compiler', why: `there is no ${tool} on this machine` };
    }
  }
  const made = spawnSync('make', ['-C', folder, `build/${program}`], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`devices/mcu does not build:\n${made.stderr}`);
  return { kind: 'compiled', file: join(folder, 'build', program) };
}
