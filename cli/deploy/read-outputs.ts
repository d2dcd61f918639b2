/**
 * The outputs of a deployment's stacks: from CloudFormation, or from a file that `cdk deploy --outputs-file` wrote.
 */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import * as z from 'zod';
import { CommandFailure } from '../command-failure.ts';
import { given, type Environment } from '../operator/connection.ts';
import { readJson } from '../operator/read-json.ts';
import type { Outputs } from './worker-values.ts';

/** Suffixes of the stacks' names. */
const STACKS = ['data', 'compute', 'operations', 'observability'] as const;
const fileSchema = z.record(z.string(), z.record(z.string(), z.string()));

export async function outputsFromFile(file: string): Promise<Outputs> {
  const parsed = fileSchema.safeParse(await readJson(file));
  if (!parsed.success) throw new CommandFailure('invalid', `${file} is not what cdk deploy --outputs-file writes.`);
  return Object.fromEntries(Object.values(parsed.data).flatMap((outputs) => Object.entries(outputs)));
}

/** Where CDK deploys to when nothing says otherwise: the environment, the profile, and at last us-east-1. */
export async function usualRegion(env: Environment): Promise<string> {
  const named = given(env['AWS_REGION']) ?? given(env['AWS_DEFAULT_REGION']);
  if (named !== undefined) return named;
  const client = new CloudFormationClient({});
  try {
    return await client.config.region();
  } catch {
    return 'us-east-1';
  } finally {
    client.destroy();
  }
}

/** @param deployment `<name>-<environment>`, as in infra/settings.ts */
export async function outputsFromAws(deployment: string, region: string, endpoint?: string): Promise<Outputs> {
  const client = new CloudFormationClient({ region, ...(endpoint === undefined ? {} : { endpoint }), maxAttempts: 3 });
  try {
    const outputs: Record<string, string> = {};
    for (const suffix of STACKS) {
      const answer = await client.send(new DescribeStacksCommand({ StackName: `${deployment}-${suffix}` }));
      for (const { OutputKey: name, OutputValue: value } of answer.Stacks?.[0]?.Outputs ?? []) {
        if (name !== undefined && value !== undefined) outputs[name] = value;
      }
    }
    return outputs;
  } catch (error) {
    throw explain(error, deployment, region);
  } finally {
    client.destroy();
  }
}

function explain(error: unknown, deployment: string, region: string): CommandFailure {
  if (!(error instanceof Error)) return new CommandFailure('failed', String(error));
  if (error.name === 'ValidationError') {
    return new CommandFailure('not_found', `There is no deployment ${deployment} in ${region}: ${error.message}`);
  }
  const denied = /Credentials|AccessDenied|Token|Signature/.test(error.name);
  return new CommandFailure(
    denied ? 'denied' : 'unreachable',
    `CloudFormation cannot be asked: ${error.name}: ${error.message}`,
  );
}
