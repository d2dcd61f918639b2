/** `hybrid` as an operator runs it, in this process, against an embedded DynamoDB. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { startDynamoDb, type DynamoDb } from '../../../local/aws/dynamodb.ts';
import { openControlTable, type ControlTable } from '../../../cli/control/control-table.ts';
import { runHybrid } from '../../../cli/operator/create-hybrid.ts';
import { findKey, KEY, REGION } from '../../fixtures/local/keys.ts';

export const TABLE = 'hybrid';
export const ENVIRONMENT = 'test';

export type Ran = { readonly status: number; readonly out: string; readonly err: string; readonly json: Json };
// What a command prints is looked at field by field in each test.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

export type Console = {
  readonly database: DynamoDb;
  readonly table: ControlTable;
  run(...args: string[]): Promise<Ran>;
  close(): Promise<void>;
};

/** @param env beside what names the table */
export async function openConsole(env: Readonly<Record<string, string>> = {}): Promise<Console> {
  const database = await startDynamoDb({ region: REGION, tableName: TABLE, findKey, adminKey: KEY });
  await database.waitUntilReady();
  const client = new DynamoDBClient({ endpoint: database.url, region: REGION, credentials: KEY, maxAttempts: 1 });
  return {
    database,
    table: openControlTable(client, TABLE),
    run: (...args) =>
      runOnce(args, {
        TABLE_NAME: TABLE,
        DATABASE_URL: database.url,
        AWS_REGION: REGION,
        ENVIRONMENT,
        USER: 'ada',
        ...env,
      }),
    async close() {
      client.destroy();
      await database.close();
    },
  };
}

export async function runOnce(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const status = await runHybrid(args, {
    terminal: { out: (text) => out.push(text), err: (text) => err.push(text), isInteractive: false },
    env,
    nowMs: () => Date.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 20)),
    signal: new AbortController().signal,
  });
  const text = out.join('\n');
  return { status, out: text, err: err.join('\n'), json: args.includes('--json') ? JSON.parse(text) : undefined };
}
