/** The workflow that teams copy: it is YAML, each of its commands exists, and it keeps no AWS key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parse } from 'yaml';
import { REPOSITORY_ROOT } from '../../../local/bundle-worker.ts';

const text = readFileSync(join(REPOSITORY_ROOT, '.github/workflows/deploy.yml'), 'utf8');
const workflow = z
  .object({
    permissions: z.record(z.string(), z.string()),
    jobs: z.record(
      z.string(),
      z.object({
        'timeout-minutes': z.number(),
        permissions: z.record(z.string(), z.string()).optional(),
        steps: z.array(z.object({ run: z.string().optional(), uses: z.string().optional() })),
      }),
    ),
  })
  .parse(parse(text));
const { scripts, devDependencies, bin } = z
  .object({
    scripts: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
    bin: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync(join(REPOSITORY_ROOT, 'package.json'), 'utf8')));

const commands = Object.values(workflow.jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));

describe('the workflow', () => {
  it('runs commands that exist', () => {
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const [program, first = '', second = ''] = command.split(/\s+/);
      const known =
        (program === 'npm' && first === 'ci') ||
        (program === 'npm' && first === 'test' && scripts['test'] !== undefined) ||
        (program === 'npm' && first === 'run' && scripts[second] !== undefined) ||
        (program === 'npx' && first === 'cdk' && devDependencies['aws-cdk'] !== undefined) ||
        (program === 'npx' && bin[first] !== undefined);
      expect(known, command).toBe(true);
    }
  });

  it('asks GitHub for a token where it deploys and nowhere else, and names no AWS key', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    const withToken = Object.entries(workflow.jobs).filter(([, job]) => job.permissions?.['id-token'] === 'write');
    expect(withToken.map(([name]) => name)).toEqual(['deploy']);
    expect(text).not.toMatch(/AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY/);
  });

  it('ends in bounded time', () => {
    for (const job of Object.values(workflow.jobs)) expect(job['timeout-minutes']).toBeLessThanOrEqual(60);
  });
});
