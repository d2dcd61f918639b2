/**
 * A container of SageMaker's contract that holds conversations without a model: it says again what it was told, a word at a
 * time, in the protocol of vLLM's and TGI's containers. It shows streaming for what it is; it is no language model.
 */
import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { serverSentEvent } from '../../shared/protocol/server-sent-events.ts';

const requestSchema = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.string(), content: z.string() })).min(1),
  max_tokens: z.number().int().positive().optional(),
  stop: z.array(z.string()).optional(),
  stream: z.boolean().optional(),
});

type ChatRequest = z.infer<typeof requestSchema>;

/** Slow enough to be seen, quick enough not to be waited for; 0 where streaming itself is measured. */
const WORD_MS = Number(process.env['ECHO_WORD_MS'] ?? 8);

if (process.argv[2] !== 'serve') process.exit(64);

const server = createServer((request, response) => {
  void respond().catch(() => response.destroy());

  async function respond(): Promise<void> {
    if (request.url === '/ping') {
      response.writeHead(200).end();
      return;
    }
    const parsed = requestSchema.safeParse(await json(request).catch(() => undefined));
    if (!parsed.success) {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: 'not a chat completion request' } }));
      return;
    }
    await speak(parsed.data, response);
  }
});

async function speak(request: ChatRequest, response: ServerResponse): Promise<void> {
  const { words, finish } = answerTo(request);
  const usage = {
    prompt_tokens: request.messages.reduce((sum, { content }) => sum + wordsOf(content).length, 0),
    completion_tokens: words.length,
  };
  if (request.stream !== true) {
    const message = { role: 'assistant', content: words.join('') };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: finish }], usage }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const word of words) {
    if (WORD_MS > 0) await sleep(WORD_MS);
    if (response.destroyed) return;
    if (!response.write(serverSentEvent(JSON.stringify({ choices: [{ index: 0, delta: { content: word } }] }))))
      await once(response, 'drain');
  }
  response.write(
    serverSentEvent(JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: finish }] })) +
      serverSentEvent(JSON.stringify({ choices: [], usage })),
  );
  response.end(serverSentEvent('[DONE]'));
}

function answerTo(request: ChatRequest): { readonly words: readonly string[]; readonly finish: 'stop' | 'length' } {
  const said = request.messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const full = `You said: ${said}`;
  const stops = (request.stop ?? []).map((stop) => full.indexOf(stop)).filter((at) => at >= 0);
  const words = wordsOf(full.slice(0, Math.min(full.length, ...stops)));
  const limit = request.max_tokens ?? words.length;
  return words.length > limit ? { words: words.slice(0, limit), finish: 'length' } : { words, finish: 'stop' };
}

/** With the space before each, so that joined they are the text. */
function wordsOf(text: string): readonly string[] {
  return text.match(/\s*\S+/g) ?? [];
}

server.listen(Number(process.env['SAGEMAKER_BIND_TO_PORT'] ?? 8080), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
