/**
 * A conversation as a chat completions server takes it. Always streamed, so that tokens and time are counted alike whether
 * the caller wants a stream or not.
 */
import type { ChatInput } from '../../../shared/schema/model-input.ts';
import { encodeUtf8 } from '../../aws/encode-utf8.ts';

export function encodeCompletionRequest(input: ChatInput, model: string): Uint8Array<ArrayBuffer> {
  return encodeUtf8(
    JSON.stringify({
      model,
      messages: input.messages,
      ...(input.maxTokens === undefined ? {} : { max_tokens: input.maxTokens }),
      ...(input.temperature === undefined ? {} : { temperature: input.temperature }),
      ...(input.topP === undefined ? {} : { top_p: input.topP }),
      ...(input.stop.length === 0 ? {} : { stop: input.stop }),
      ...(input.seed === undefined ? {} : { seed: input.seed }),
      stream: true,
      stream_options: { include_usage: true },
    }),
  );
}
