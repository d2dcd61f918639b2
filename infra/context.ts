/**
 * The context of cdk.json for those who synthesise without the CLI: tests and the cost table then see the same feature
 * flags as a deployment.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const cdkJsonSchema = z.looseObject({ context: z.record(z.string(), z.unknown()) });

export function readCdkContext(root: string): Record<string, unknown> {
  return cdkJsonSchema.parse(JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8'))).context;
}
