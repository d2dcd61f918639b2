/**
 * `npm run bench:stream`: what the gateway adds to a streamed conversation, against the same endpoint asked directly, in turns:
 * to the first token, and to every further one. JSON lines. The endpoint is the stand-in's echo without its pauses.
 */
import { parseArgs } from 'node:util';
import { AwsClient } from 'aws4fetch';
import { startStack, LOCAL_REGION } from '../../local/stack.ts';
import { figureOf } from './spread.ts';

const { values: flags } = parseArgs({
  options: { runs: { type: 'string', default: '30' }, tokens: { type: 'string', default: '2000' } },
});
/** Of a conversation whose first token is timed. */
const SHORT_WORDS = 12;

const runs = Number(flags.runs);
const tokens = Number(flags.tokens);

const stack = await startStack({ port: 0, echoWordMs: 0 });
try {
  const endpoint = stack.config.targets.find(({ id }) => id === 'sagemaker-echo')?.endpoint;
  if (endpoint?.kind !== 'sagemaker') throw new Error('the local stack has no echo');
  const aws = new AwsClient({ ...stack.credentials, region: LOCAL_REGION, service: 'sagemaker', retries: 0 });
  const directUrl = `${endpoint.base_url ?? ''}/endpoints/${endpoint.endpoint_name ?? ''}/invocations-response-stream`;
  const direct = (words: number) => aws.fetch(directUrl, conversation(words));
  const gateway = (words: number) => fetch(`${stack.url}/v1/chat/completions`, conversation(words));

  const firstMs: number[] = [];
  const perTokenMs: number[] = [];
  await timed(() => direct(tokens));
  await timed(() => gateway(tokens));
  for (let run = 0; run < runs; run += 1) {
    const shortAlone = await timed(() => direct(SHORT_WORDS));
    const shortThrough = await timed(() => gateway(SHORT_WORDS));
    firstMs.push(shortThrough.firstMs - shortAlone.firstMs);
    const alone = await timed(() => direct(tokens));
    const through = await timed(() => gateway(tokens));
    perTokenMs.push((through.restMs - alone.restMs) / tokens);
  }
  console.log(JSON.stringify(figureOf('stream_first_token_added_ms', 'ms', firstMs)));
  console.log(JSON.stringify(figureOf('stream_token_added_ms', 'ms', perTokenMs)));
} finally {
  await stack.close();
}

/** An answer of as many words as are said. */
function conversation(words: number): { method: string; headers: Record<string, string>; body: string } {
  const messages = [{ role: 'user', content: 'word '.repeat(words).trim() }];
  const body = JSON.stringify({ model: 'echo', stream: true, messages });
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body };
}

async function timed(ask: () => Promise<Response>): Promise<{ firstMs: number; restMs: number }> {
  const startedAtMs = performance.now();
  const response = await ask();
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  let firstAtMs: number | undefined;
  for await (const _chunk of response.body ?? []) firstAtMs ??= performance.now();
  const endedAtMs = performance.now();
  return { firstMs: (firstAtMs ?? endedAtMs) - startedAtMs, restMs: endedAtMs - (firstAtMs ?? endedAtMs) };
}
