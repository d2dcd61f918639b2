/**
 * `npm run test:clients`: unmodified clients of every protocol against the whole local stack. Not part of `npm test`: Python's
 * come from their own registry.
 */
import { startStack } from '../../local/stack.ts';
import { runChecks } from './checks.ts';
import { graphQlChecks } from './graphql-audit.ts';
import { openAiChecks } from './openai-npm.ts';
import { preparePython, runPython } from './python.ts';
import { vercelChecks } from './vercel-ai-sdk.ts';

const PYTHON_SCRIPTS = ['openai_python.py', 'triton_python.py', 'fuzz_openapi.py'];

const stack = await startStack({ port: 0 });
let failures = 0;
try {
  failures += await runChecks('openai (npm)', openAiChecks(stack.url));
  failures += await runChecks('ai', vercelChecks(stack.url));
  failures += await runChecks('graphql-http', graphQlChecks(stack.url));
  const missing = await preparePython();
  if (missing === undefined) for (const script of PYTHON_SCRIPTS) failures += await runPython(script, stack.url);
  else console.log(`skipped Python's clients: ${missing}`);
} finally {
  await stack.close();
}
console.log(failures === 0 ? 'every client is content' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
