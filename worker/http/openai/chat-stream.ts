/**
 * A streamed completion as it is being made: pieces become events at once, the end is said in-band. Owns the order of events
 * and noticing that nobody reads any more.
 */
import type { GatewayError } from '../../../shared/errors.ts';
import { serverSentEvent } from '../../../shared/protocol/server-sent-events.ts';
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import { renderFinish, renderPiece, renderUsageChunk, textOf, type CompletionHead } from './chat-render.ts';
import { openAiErrorBody } from './error.ts';

const encoder = new TextEncoder();

export class ChatStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #gone = new AbortController();
  #head: CompletionHead = { id: '', created: 0, model: '' };
  #pieces = 0;

  constructor() {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.readable = readable;
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => this.#gone.abort());
  }

  /** Fires when the caller has stopped reading. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get hasBegun(): boolean {
    return this.#pieces > 0;
  }

  begin(head: CompletionHead): void {
    this.#head = head;
  }

  /** Not awaited by whoever speaks: what a slow reader holds up is bounded by the answer's own bound. */
  say(piece: string): void {
    this.#send(renderPiece(this.#head, piece, this.#pieces === 0));
    this.#pieces += 1;
  }

  async finish(result: InferResult, includeUsage: boolean): Promise<void> {
    const answer = textOf(result);
    if (answer !== undefined) {
      // A cached answer, or one from a place that does not stream, has not been said yet.
      if (!this.hasBegun && answer.text !== '') this.say(answer.text);
      this.#send(renderFinish(this.#head, answer, result));
      if (includeUsage) this.#send(renderUsageChunk(this.#head, answer));
    }
    this.#write(serverSentEvent('[DONE]'));
    await this.#close();
  }

  /** After the first piece the status is spent: the error is an event, and the stream ends without [DONE]. */
  async fail(error: GatewayError): Promise<void> {
    this.#send(openAiErrorBody(error, 'chat_completions'));
    await this.#close();
  }

  #send(value: unknown): void {
    this.#write(serverSentEvent(JSON.stringify(value)));
  }

  #write(text: string): void {
    // A reader that has gone makes writing fail; `gone` says so.
    this.#writer.write(encoder.encode(text)).catch(() => this.#gone.abort());
  }

  async #close(): Promise<void> {
    await this.#writer.close().catch(() => undefined);
  }
}
