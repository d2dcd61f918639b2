import { describe, expect, it } from 'vitest';
import { parseEnv } from '../../worker/env.ts';

describe('the worker’s environment', () => {
  it('needs nothing', () => {
    expect(parseEnv({})).toMatchObject({
      ENVIRONMENT: 'local',
      LOG_LEVEL: 'info',
      AWS_REGION: 'us-east-1',
      METRICS_SHARDS: 4,
    });
    expect(parseEnv({}).API_KEY).toBeUndefined();
  });

  it('takes an empty value for unset, and trims', () => {
    const env = parseEnv({
      API_KEY: '',
      TABLE_NAME: '  ',
      DATABASE_URL: '',
      METRICS_SHARDS: '',
      AWS_REGION: ' eu-west-1 ',
    });
    expect([env.API_KEY, env.TABLE_NAME, env.DATABASE_URL, env.METRICS_SHARDS, env.AWS_REGION]).toEqual([
      undefined,
      undefined,
      undefined,
      4,
      'eu-west-1',
    ]);
  });

  it.each([
    ['DATABASE_URL', 'not a url', 'must be an http or https URL'],
    ['LAMBDA_FUNCTION_URL', '://', 'must be an http or https URL'],
    ['SAGEMAKER_BASE_URL', 'mailto:someone', 'must be an http or https URL'],
    ['LOG_LEVEL', 'loud', 'must be debug, info, warn or error'],
    ['METRICS_SHARDS', 'many', 'must be a whole number'],
    ['METRICS_SHARDS', '0', 'must be at least 1'],
    ['METRICS_SHARDS', '65', 'must be at most 64'],
    ['API_KEY', 7, 'must be a text'],
  ])('names %s when it is %o', (name, value, problem) => {
    expect(() => parseEnv({ [name]: value })).toThrow(`${name}: ${problem}`);
  });

  it('keeps no secret in the message', () => {
    expect(() => parseEnv({ API_KEY: 'canary', LOG_LEVEL: 'loud' })).toThrow(/^((?!canary).)*$/);
  });

  it('takes an identity whole or not at all, and never repeats a secret', () => {
    const identity = {
      AWS_ROLE_ARN: 'arn:aws:iam::000000000000:role/worker',
      IDENTITY_KEY: '{"d":"secret"}',
      IDENTITY_ISSUER: 'https://edge.example.com/identity/production',
      IDENTITY_SUBJECT: 'worker',
    };
    expect(parseEnv(identity)).toMatchObject({ ...identity, IDENTITY_AUDIENCE: 'sts.amazonaws.com' });
    expect(() => parseEnv({ ...identity, AWS_ROLE_ARN: '' })).toThrow('AWS_ROLE_ARN: must be set too');
    expect(() => parseEnv({ IDENTITY_KEY: '{"d":"secret"}' })).toThrow(/^((?!secret).)*$/);
  });
});
