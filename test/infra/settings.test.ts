/**
 * Settings: the defaults, the sources they may come from, and errors that name the field.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { deploymentName, parseSettings, SettingsError } from '../../infra/settings.ts';
import { scratchDir } from './scratch.ts';

describe('defaults', () => {
  test('need nothing from the operator and keep nothing running', () => {
    const settings = parseSettings(undefined);
    expect(deploymentName(settings)).toBe('hybrid-inference-production');
    expect(settings.protectData).toBe(true);
    expect(settings.endpoint.imageTag).toBeUndefined();
    expect(settings.endpoint.hosting).toEqual({ kind: 'serverless', memoryMb: 3_072, maxConcurrency: 5 });
    expect(settings.function.provisionedConcurrency).toBeUndefined();
    expect(settings.identity.issuer).toBeUndefined();
  });

  test('of a group hold when another field of the group is given', () => {
    expect(parseSettings({ function: { memoryMb: 3_008 } }).function.timeoutSeconds).toBe(30);
  });
});

describe('sources', () => {
  test('the text of -c hybrid=... is JSON when it starts with a brace', () => {
    expect(parseSettings('{"environment":"staging"}').environment).toBe('staging');
  });

  test('any other text is the path of a JSON file', () => {
    const path = join(scratchDir(), 'staging.json');
    writeFileSync(path, '{"environment":"staging"}');
    expect(parseSettings(path).environment).toBe('staging');
  });

  test.each([
    ['{"environment"', 'Cannot read settings from the JSON given'],
    ['/no/such/file.json', 'Cannot read settings from the file /no/such/file.json'],
  ])('%s is refused with a message that says where it came from', (text, message) => {
    expect(() => parseSettings(text)).toThrow(message);
  });

  test('the issuer loses its trailing slash, which IAM would keep in the name of its condition keys', () => {
    expect(parseSettings({ identity: { issuer: 'https://edge.example.com/' } }).identity.issuer).toBe(
      'https://edge.example.com',
    );
  });
});

const instances = { kind: 'instances', instanceType: 'ml.c7i.large' };

describe('errors', () => {
  test.each<[string, object, string]>([
    ['an unknown setting', { regoin: 'eu-west-1' }, 'hybrid: has no setting called regoin'],
    ['an unknown setting in a group', { function: { memory: 512 } }, 'hybrid.function: has no setting called memory'],
    ['an upper-case name', { name: 'Hybrid' }, 'hybrid.name: must be lower-case letters'],
    [
      'a name that endpoint names cannot hold',
      { name: 'a'.repeat(29) },
      'hybrid.name: must have at most 28 characters',
    ],
    ['a region that is none', { region: 'europe' }, 'hybrid.region: must look like eu-west-1'],
    ['a short account', { account: '123' }, 'hybrid.account: must be a twelve-digit account id'],
    [
      'a text for a number',
      { function: { memoryMb: '512' } },
      'hybrid.function.memoryMb: must be a whole number from 128 to 10240',
    ],
    [
      'too much memory',
      { function: { memoryMb: 20_000 } },
      'hybrid.function.memoryMb: must be a whole number from 128 to 10240',
    ],
    [
      'a time-out of zero',
      { function: { timeoutSeconds: 0 } },
      'hybrid.function.timeoutSeconds: must be a whole number from 1 to 900',
    ],
    [
      'a retention CloudWatch does not have',
      { function: { logRetentionDays: 31 } },
      'hybrid.function.logRetentionDays: must be a period that CloudWatch Logs has',
    ],
    [
      'more warm than reserved',
      { function: { reservedConcurrency: 2, provisionedConcurrency: 3 } },
      'hybrid.function.provisionedConcurrency: must not be above',
    ],
    ['no variant', { function: { variants: [] } }, 'hybrid.function.variants: must name at least one variant'],
    ['a moving tag', { endpoint: { imageTag: 'latest' } }, 'hybrid.endpoint.imageTag: must name one image'],
    [
      'an archive of another kind',
      { endpoint: { modelDataKey: 'm.zip' } },
      'hybrid.endpoint.modelDataKey: must be the key of a .tar.gz',
    ],
    [
      'odd serverless memory',
      { endpoint: { hosting: { kind: 'serverless', memoryMb: 1_500 } } },
      'hybrid.endpoint.hosting.memoryMb: must be one of 1024',
    ],
    ['hosting without its kind', { endpoint: { hosting: {} } }, 'hybrid.endpoint.hosting.kind'],
    [
      'an instance type that is none',
      { endpoint: { hosting: { kind: 'instances', instanceType: 'c7i.large' } } },
      'hybrid.endpoint.hosting.instanceType: must look like',
    ],
    [
      'a maximum below the minimum',
      { endpoint: { hosting: { ...instances, minInstances: 3 } } },
      'hybrid.endpoint.hosting.maxInstances: must not be below minInstances',
    ],
    [
      'a canary of one instance',
      { endpoint: { hosting: { ...instances, canary: {} } } },
      'hybrid.endpoint.hosting.canary: needs minInstances of 2',
    ],
    [
      'an issuer without TLS',
      { identity: { issuer: 'http://edge.example.com' } },
      'hybrid.identity.issuer: must be an https URL',
    ],
    [
      'an issuer with a port',
      { identity: { issuer: 'https://edge.example.com:8443' } },
      'hybrid.identity.issuer: must have no port',
    ],
    ['a subject with a wildcard', { identity: { subject: 'worker-*' } }, 'hybrid.identity.subject: must be exact'],
    ['a mail address that is none', { alarms: { email: 'ops' } }, 'hybrid.alarms.email: must be an e-mail address'],
    ['an error ratio in percent', { alarms: { errorRatio: 5 } }, 'hybrid.alarms.errorRatio: must be at most 1'],
    ['a budget of nothing', { budget: { monthlyUsd: 0 } }, 'hybrid.budget.monthlyUsd: must be above 0'],
  ])('%s is refused, naming the field', (_what, settings, message) => {
    expect(() => parseSettings(settings)).toThrow(SettingsError);
    expect(() => parseSettings(settings)).toThrow(message);
  });

  test('all mistakes are told at once', () => {
    expect(() => parseSettings({ region: 'x', budget: { monthlyUsd: -1 } })).toThrow(
      /hybrid\.region[^]*hybrid\.budget\.monthlyUsd/,
    );
  });
});
