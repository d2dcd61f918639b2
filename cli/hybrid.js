#!/usr/bin/env node
// Owns finding a Node.js that runs TypeScript: this one, or the one that the repository installs for itself.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MIN_MAJOR = 24;
const script = fileURLToPath(new URL('hybrid.ts', import.meta.url));
const installed = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= MIN_MAJOR) {
  await import('./hybrid.ts');
} else if (existsSync(installed)) {
  const { status, signal } = spawnSync(installed, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = signal === null ? (status ?? 1) : 1;
} else {
  process.stderr.write(`Node ${MIN_MAJOR} is needed and this is ${process.versions.node}: run npm ci first.\n`);
  process.exitCode = 1;
}
