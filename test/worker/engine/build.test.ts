// The committed WebAssembly must be what its source compiles to.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('kernels.wasm is reproducible from assembly/', () => {
  const script = fileURLToPath(new URL('../../../worker/engine/build.ts', import.meta.url));
  expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
}, 60_000);
