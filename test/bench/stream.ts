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
const runs = Number(flags.runs);
const tokens = Number(flags.tokens);

const stack = await startStack({ port: 0, echoWordMs: 0 });
try {
  const endpoint = stack.config.targets.find(({ id }) => id === 'sagemaker-echo')?.endpoint;
  if (endpoint?.kind !== 'sagemaker') throw new Error('the local stack has no echo');
  const aws = new AwsClient({ ...stack.credentials, region: LOCAL_REGION, service: 'sagemaker', retries: 0 });
  const directUrl = `${endpoint.base_url ?? ''}/endpoints/${endpoint.endpoint_name ?? ''}/invocations-response-stream`;
  const messages = [{ role: 'user', content: 'word '.repeat(tokens - 2).trim() }];
  const direct = () => aws.fetch(directUrl, requestOf({ model: 'echo', stream: true, messages }));
  const gateway = () => fetch(`${stack.url}/v1/chat/completions`, requestOf({ model: 'echo', stream: true, messages }));

  const firstMs: number[] = [];
  const perTokenMs: number[] = [];
  await timed(direct);
  await timed(gateway);
  for (let run = 0; run < runs; run += 1) {
    const alone = await timed(direct);
    const through = await timed(gateway);
    firstMs.push(through.firstMs - alone.firstMs);
    perTokenMs.push((through.restMs - alone.restMs) / tokens);
  }
  console.log(JSON.stringify(figureOf('stream_first_token_added_ms', 'ms', firstMs)));
  console.log(JSON.stringify(figureOf('stream_token_added_ms', 'ms', perTokenMs)));
} finally {
  await stack.close();
}

function requestOf(body: object): { method: string; headers: Record<string, string>; body: string } {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
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
