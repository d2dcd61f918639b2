/**
 * `npm run test:clients`: unmodified clients of every protocol against the whole local stack, and our `gpu` target against
 * servers we did not write. Not part of `npm test`: Python's packages come from their own registry.
 */
import { startStack } from '../../local/stack.ts';
import { runChecks } from './checks.ts';
import { graphQlChecks } from './graphql-audit.ts';
import { startKServe, startMlServer } from './foreign-servers.ts';
import { openAiChecks } from './openai-npm.ts';
import { preparePython, runScript, type PythonEnvironment } from './python.ts';
import { vercelChecks } from './vercel-ai-sdk.ts';

const PYTHON_SCRIPTS = ['openai_python.py', 'triton_python.py', 'fuzz_openapi.py'];

async function askGateway(): Promise<number> {
  const stack = await startStack({ port: 0 });
  try {
    let failures = await runChecks('openai (npm)', openAiChecks(stack.url));
    failures += await runChecks('ai', vercelChecks(stack.url));
    failures += await runChecks('graphql-http', graphQlChecks(stack.url));
    const prepared = await preparePython('requirements.txt');
    if (prepared.kind === 'missing') {
      console.log(`skipped Python's clients: ${prepared.reason}`);
      return failures;
    }
    for (const script of PYTHON_SCRIPTS) failures += await runScript(prepared.python, script, stack.url);
    return failures;
  } finally {
    await stack.close();
  }
}

async function askForeign(
  name: string,
  requirements: string,
  start: (python: PythonEnvironment) => ReturnType<typeof startMlServer>,
): Promise<number> {
  const prepared = await preparePython(requirements);
  if (prepared.kind === 'missing') {
    console.log(`skipped ${name}: ${prepared.reason}`);
    return 0;
  }
  const server = await start(prepared.python);
  try {
    return await runChecks(name, server.checks);
  } finally {
    await server.close();
  }
}

const failures =
  (await askGateway()) +
  (await askForeign('MLServer', 'requirements-mlserver.txt', startMlServer)) +
  (await askForeign('KServe', 'requirements-kserve.txt', startKServe));
console.log(failures === 0 ? 'every client is content' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
