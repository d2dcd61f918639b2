/**
 * A chat completion inside SageMaker's response stream: frames -> server-sent events -> text. Never rejects; the body is at
 * its end or cancelled when this returns.
 */
import { EventStreamDecoder, EventStreamError, type EventMessage } from '../../../shared/protocol/event-stream.ts';
import { ServerSentEventError, ServerSentEvents } from '../../../shared/protocol/server-sent-events.ts';
import type { TargetResult } from '../../ports.ts';
import { failed, type FailedResult } from '../failure.ts';
import { CompletionEvents } from './completion-events.ts';
import type { Stages } from './stages.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

export async function readChatStream(
  body: ReadableStream<Uint8Array> | null,
  onText: ((text: string) => void) | undefined,
  stages: Stages,
): Promise<TargetResult> {
  if (body === null) return failed('cut', 'the answer has no body');
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  const answer = new ChatAnswer(onText, () => stages.enter('idle'));
  stages.enter('first_token');
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return answer.end();
      const failure = answer.push(value);
      if (failure === undefined && !answer.isDone) continue;
      reader.cancel().catch(() => undefined);
      return failure ?? answer.end();
    }
  } catch (error) {
    reader.cancel().catch(() => undefined);
    if (stages.expired !== undefined) return failed('timeout', stages.expired);
    return isFormatError(error)
      ? failed('garbage', `the stream is not of the protocol: ${error.message}`)
      : failed('cut', 'the stream broke off');
  }
}

function isFormatError(error: unknown): error is Error {
  return (
    error instanceof EventStreamError ||
    error instanceof ServerSentEventError ||
    // A fatal decoder's complaint.
    (error instanceof TypeError && error.message.toLowerCase().includes('utf-8'))
  );
}

class ChatAnswer {
  readonly #frames = new EventStreamDecoder((bytes) => utf8.decode(bytes));
  readonly #pieces = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  readonly #events = new ServerSentEvents();
  readonly #completion: CompletionEvents;

  constructor(onText: ((text: string) => void) | undefined, onProgress: () => void) {
    this.#completion = new CompletionEvents((text) => {
      onProgress();
      onText?.(text);
    });
  }

  get isDone(): boolean {
    return this.#completion.isDone;
  }

  push(bytes: Uint8Array): FailedResult | undefined {
    for (const message of this.#frames.push(bytes)) {
      const failure = this.#message(message);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  end(): TargetResult {
    return this.#frames.isWhole ? this.#completion.end() : failed('cut', 'the stream broke off inside a message');
  }

  #message({ headers, payload }: EventMessage): FailedResult | undefined {
    const kind = headers.get(':message-type');
    // ModelStreamError, InternalStreamFailure: what went wrong is not said here, for it may quote the input.
    if (kind === 'exception' || kind === 'error')
      return failed('upstream_error', `the endpoint ended the stream: ${headers.get(':exception-type') ?? 'error'}`);
    if (headers.get(':event-type') !== 'PayloadPart') return undefined;
    for (const data of this.#events.push(this.#pieces.decode(payload, { stream: true }))) {
      const failure = this.#completion.take(data);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }
}
