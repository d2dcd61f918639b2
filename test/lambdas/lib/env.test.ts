import { describe, expect, it } from 'vitest';
import { parseEnv } from '../../../lambdas/lib/env.ts';

describe('the environment', () => {
  it('has a default for everything', () => {
    const env = parseEnv({});
    expect(env).toMatchObject({ variants: undefined, intraOpThreads: 1, port: 8080, logLevel: 'info' });
    expect(env.modelDir).toMatch(/\/models$/);
  });

  it('finds the models beside the handler in Lambda, and where it is told to before that', () => {
    expect(parseEnv({ LAMBDA_TASK_ROOT: '/var/task' }).modelDir).toBe('/var/task/models');
    expect(parseEnv({ LAMBDA_TASK_ROOT: '/var/task', MODEL_DIR: '/opt/ml/model' }).modelDir).toBe('/opt/ml/model');
  });

  it('takes an empty value as none', () => {
    expect(parseEnv({ MODEL_VARIANTS: '', SAGEMAKER_BIND_TO_PORT: '' })).toMatchObject({
      variants: undefined,
      port: 8080,
    });
  });

  it('reads a list of variants', () => {
    expect(parseEnv({ MODEL_VARIANTS: 'base, large' }).variants).toEqual(['base', 'large']);
  });

  it.each([
    ['ORT_INTRA_OP_THREADS', '0'],
    ['ORT_INTRA_OP_THREADS', 'two'],
    ['ORT_INTRA_OP_THREADS', '1.5'],
    ['MODEL_MAX_IN_FLIGHT', '-1'],
    ['SAGEMAKER_BIND_TO_PORT', '70000'],
    ['MODEL_VARIANTS', 'base,,large'],
    ['MODEL_VARIANTS', '../x'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s by name', (name, value) => {
    expect(() => parseEnv({ [name]: value })).toThrow(name);
  });
});
