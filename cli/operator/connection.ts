/**
 * Which deployment a command is about: options first, then the environment, as `.env` and `npm start` name it.
 * Credentials are the SDK's default chain and nothing else.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CommandFailure } from '../command-failure.ts';
import { openControlTable, type ControlTable } from '../control/control-table.ts';

/** Options of `hybrid` itself, known to every command. */
export type GlobalFlags = {
  readonly json?: boolean;
  readonly table?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly environment?: string;
  readonly gateway?: string;
};

export type Environment = Readonly<Record<string, string | undefined>>;

export type Connection = {
  readonly table: ControlTable;
  readonly environment: string;
  close(): void;
};

const TIMEOUT_MS = 5_000;
/** The first try and two more: a person waits. */
const MAX_ATTEMPTS = 3;

export function connect(flags: GlobalFlags, env: Environment): Connection {
  const name = flags.table ?? given(env['TABLE_NAME']);
  if (name === undefined) {
    throw new CommandFailure(
      'usage',
      'Which table? Give --table or set TABLE_NAME (the output TableName; npm start prints its own).',
    );
  }
  const endpoint = flags.endpoint ?? given(env['DATABASE_URL']);
  const client = new DynamoDBClient({
    region: flags.region ?? given(env['AWS_REGION']) ?? 'us-east-1',
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS },
  });
  return {
    table: openControlTable(client, name),
    environment: flags.environment ?? given(env['ENVIRONMENT']) ?? 'production',
    close: () => client.destroy(),
  };
}

export function gatewayUrl(flags: GlobalFlags, env: Environment): string | undefined {
  return (flags.gateway ?? given(env['GATEWAY_URL']))?.replace(/\/+$/, '');
}

/** An empty value counts as unset, as in a `.env` file copied from the example. */
export function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}
