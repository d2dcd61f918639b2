/** The environments of wrangler.toml: none is another's worker, and only what is never deployed calls itself local. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY_ROOT } from '../../../local/bundle-worker.ts';

const toml = readFileSync(join(REPOSITORY_ROOT, 'wrangler.toml'), 'utf8');
const valuesOf = (key: string): readonly string[] =>
  [...toml.matchAll(new RegExp(`^${key} = "(.*)"$`, 'gm'))].map(([, value = '']) => value);

describe('wrangler.toml', () => {
  it('has a worker of its own for each environment and for `wrangler dev`', () => {
    // A deployment without --env replaces whatever has the top-level name, with a worker that lets everybody in.
    expect(valuesOf('name').filter((name) => name.startsWith('hybrid-'))).toEqual([
      'hybrid-inference-local',
      'hybrid-inference-dev',
      'hybrid-inference-staging',
      'hybrid-inference',
    ]);
    expect(valuesOf('ENVIRONMENT')).toEqual(['local', 'dev', 'staging', 'production']);
  });
});
