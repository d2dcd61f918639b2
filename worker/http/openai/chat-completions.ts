/**
 * `POST /v1/chat/completions`, whole or streamed. A stream's response begins with its first piece: until then another place
 * may take over, and an error has its status.
 */
import { GatewayError } from '../../../shared/errors.ts';
import { REQUEST_ID_HEADER } from '../../../shared/names.ts';
import type { Outcome, TextListener } from '../../pipeline/incoming.ts';
import { decisionHeaders } from '../decision-headers.ts';
import { runExchange, type Exchange } from '../exchange.ts';
import { readJson } from '../read-json.ts';
import { renderCompletion, textOf, type CompletionHead } from './chat-render.ts';
import { parseChatRequest, type ChatRequest } from './chat-request.ts';
import { ChatStream } from './chat-stream.ts';
import { openAiError } from './error.ts';

type Begun = { readonly kind: 'begun'; readonly target: string; readonly variant: string };

export async function chatCompletions(exchange: Exchange): Promise<Response> {
  const { requestId, services, request } = exchange;
  const created = Math.floor(services.clock.now() / 1_000);
  let asked: ChatRequest | undefined;
  let stream: ChatStream | undefined;
  let onBegin: (from: Begun) => void = () => undefined;
  const begun = new Promise<Begun>((resolve) => {
    onBegin = resolve;
  });
  const gone = new AbortController();

  function listener(): TextListener | undefined {
    if (asked?.isStream !== true) return undefined;
    const made = new ChatStream();
    made.begin(headOf(requestId, created, asked));
    made.gone.addEventListener('abort', () => gone.abort());
    stream = made;
    return (piece, { target, variant }) => {
      made.say(piece);
      onBegin({ kind: 'begun', target, variant });
    };
  }

  const ended = runExchange(exchange, {
    name: 'openai',
    read: async (limits) => {
      asked = parseChatRequest(await readJson(request, limits.max_body_bytes), request.headers);
      return asked.wire;
    },
    textListener: listener,
    gone: gone.signal,
  });
  const first = await Promise.race([begun, ended]);
  if (first.kind === 'failed') return openAiError(first.error, requestId, 'chat_completions');
  if (first.kind === 'begun' && stream !== undefined) {
    exchange.keepAlive(ended.then((outcome) => finish(stream, outcome, asked)));
    return streamed(stream, {
      [REQUEST_ID_HEADER]: requestId,
      'x-target-used': first.target,
      'x-decision': `variant=${first.variant}`,
    });
  }
  if (first.kind === 'begun' || asked === undefined) throw new TypeError('a text began that nobody asked for');
  const head = headOf(requestId, created, asked);
  const answer = textOf(first.result);
  if (answer === undefined) {
    const message = `The model "${first.result.modelName}" holds no conversations.`;
    return openAiError(new GatewayError('invalid_request', message, { field: 'model' }), requestId, 'chat_completions');
  }
  if (!asked.isStream)
    return Response.json(renderCompletion(head, answer, first.result), { headers: decisionHeaders(first.result) });
  const whole = stream ?? new ChatStream();
  whole.begin(head);
  exchange.keepAlive(whole.finish(first.result, asked.includeUsage));
  return streamed(whole, decisionHeaders(first.result));
}

async function finish(stream: ChatStream | undefined, outcome: Outcome, asked: ChatRequest | undefined): Promise<void> {
  if (outcome.kind === 'answered') await stream?.finish(outcome.result, asked?.includeUsage ?? false);
  else await stream?.fail(outcome.error);
}

function headOf(requestId: string, created: number, { wire }: ChatRequest): CompletionHead {
  return { id: `chatcmpl-${requestId}`, created, model: wire.model_name };
}

function streamed(stream: ChatStream, headers: Record<string, string>): Response {
  return new Response(stream.readable, {
    headers: { ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
  });
}
