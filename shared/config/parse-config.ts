/**
 * From unknown to a configuration that is whole: shape, bounds, then references.
 * Returns problems as values; whoever asked decides whether they are an error.
 */
import { configSchema, type Config } from '../schema/config.ts';
import { checkConfig } from './check-config.ts';
import type { ConfigProblem } from './config-problem.ts';
import { issuePath } from '../schema/issue-path.ts';

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

export function parseConfig(value: unknown): ParsedConfig {
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    return {
      ok: false,
      problems: parsed.error.issues.map((issue) => ({ path: issuePath(issue.path), message: issue.message })),
    };
  }
  const problems = checkConfig(parsed.data);
  return problems.length === 0 ? { ok: true, config: parsed.data } : { ok: false, problems };
}
