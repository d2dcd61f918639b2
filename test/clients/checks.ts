/**
 * Named checks, run one after another, each printed as it ends. Owns counting and saying; what is checked is each file's.
 */
export type Check = { readonly name: string; readonly run: () => Promise<void> };

export async function runChecks(client: string, checks: readonly Check[]): Promise<number> {
  let failures = 0;
  for (const { name, run } of checks) {
    try {
      await run();
      console.log(`ok      ${client}: ${name}`);
    } catch (error) {
      failures += 1;
      console.log(`FAILED  ${client}: ${name}\n        ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures;
}
