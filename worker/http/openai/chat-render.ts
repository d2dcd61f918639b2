/**
 * A generated text in OpenAI's words: a whole completion, or the chunks of a streamed one.
 */
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import { renderExtension } from './extension.ts';

export type CompletionHead = {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
};

type TextAnswer = {
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly tokens: { readonly prompt: number; readonly completion: number };
};

/** Undefined where the model answered with something else than a text. */
export function textOf(result: InferResult): TextAnswer | undefined {
  const prediction = result.items[0]?.prediction;
  return prediction?.kind === 'text' ? prediction : undefined;
}

export function renderCompletion(head: CompletionHead, answer: TextAnswer, result: InferResult): unknown {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer.text, refusal: null },
        logprobs: null,
        finish_reason: answer.finishReason,
      },
    ],
    usage: renderUsage(answer),
    hybrid: renderExtension(result),
  };
}

export function renderPiece(head: CompletionHead, content: string, isFirst: boolean): unknown {
  return chunk(head, { ...(isFirst ? { role: 'assistant' } : {}), content }, null);
}

export function renderFinish(head: CompletionHead, answer: TextAnswer, result: InferResult): unknown {
  return { ...chunk(head, {}, answer.finishReason), hybrid: renderExtension(result) };
}

export function renderUsageChunk(head: CompletionHead, answer: TextAnswer): unknown {
  return { ...chunk(head, {}, null), choices: [], usage: renderUsage(answer) };
}

function chunk(head: CompletionHead, delta: object, finishReason: string | null): Record<string, unknown> {
  return {
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.created,
    model: head.model,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  };
}

function renderUsage({ tokens }: TextAnswer): Record<string, unknown> {
  const { prompt, completion } = tokens;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
