/**
 * The events of a streamed chat completion -> text, finish reason and tokens. One reader for every server that speaks the
 * chat completions protocol, whatever carries its events.
 */
import * as z from 'zod/mini';
import type { Prediction } from '../../../shared/schema/prediction.ts';
import type { TargetResult } from '../../ports.ts';
import { failed, type FailedResult } from '../failure.ts';

const chunkSchema = z.object({
  choices: z.array(
    z.object({
      delta: z.optional(z.object({ content: z.optional(z.nullable(z.string())) })),
      finish_reason: z.optional(z.nullable(z.string())),
    }),
  ),
  usage: z.optional(
    z.nullable(
      z.object({ prompt_tokens: z.int().check(z.minimum(0)), completion_tokens: z.int().check(z.minimum(0)) }),
    ),
  ),
});

/** Far above what any model here may say. */
const MAX_TEXT_CHARS = 4 * 1024 * 1024;

export class CompletionEvents {
  readonly #onText: ((text: string) => void) | undefined;
  #text = '';
  #pieces = 0;
  #finish: string | undefined;
  #usage: { readonly prompt: number; readonly completion: number } | undefined;
  #isDone = false;

  constructor(onText: ((text: string) => void) | undefined) {
    this.#onText = onText;
  }

  get hasBegun(): boolean {
    return this.#pieces > 0;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** A failure ends the answer; undefined: it goes on. */
  take(data: string): FailedResult | undefined {
    if (data === '[DONE]') {
      this.#isDone = true;
      return undefined;
    }
    const value = parseJson(data);
    // Servers put an error in the stream when its status is spent; what it says may quote the input.
    if (typeof value === 'object' && value !== null && 'error' in value)
      return failed('upstream_error', 'the model reported an error in its stream');
    const chunk = chunkSchema.safeParse(value);
    if (!chunk.success) return failed('garbage', 'an event of the stream is not of the protocol');
    const [choice] = chunk.data.choices;
    const piece = choice?.delta?.content ?? '';
    if (piece !== '') {
      this.#text += piece;
      this.#pieces += 1;
      if (this.#text.length > MAX_TEXT_CHARS) return failed('garbage', 'the answer does not end');
      this.#onText?.(piece);
    }
    this.#finish = choice?.finish_reason ?? this.#finish;
    const { usage } = chunk.data;
    if (usage !== undefined && usage !== null)
      this.#usage = { prompt: usage.prompt_tokens, completion: usage.completion_tokens };
    return undefined;
  }

  /** The stream ended. Without a finish reason it was cut, whatever came before. */
  end(): TargetResult {
    if (this.#finish === undefined) return failed('cut', `the stream broke off after ${this.#pieces} pieces`);
    const prediction: Prediction = {
      kind: 'text',
      text: this.#text,
      finishReason: this.#finish === 'length' ? 'length' : 'stop',
      // A server that does not count says one token a piece, which is how these servers send.
      tokens: this.#usage ?? { prompt: 0, completion: this.#pieces },
      confidence: 1,
      truncated: false,
    };
    return { kind: 'answered', predictions: [prediction], computeMs: null };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
