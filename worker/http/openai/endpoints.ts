/**
 * OpenAI's endpoints. Loaded when first asked for.
 */
import { asGatewayError } from '../../../shared/errors.ts';
import type { Exchange } from '../exchange.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { chatCompletions } from './chat-completions.ts';
import { embeddings } from './embeddings.ts';
import { openAiError, type OpenAiEndpoint } from './error.ts';

export async function openAi(exchange: Exchange, endpoint: OpenAiEndpoint): Promise<Response> {
  try {
    if (exchange.request.method !== 'POST') throw methodNotAllowed('POST');
    return await (endpoint === 'embeddings' ? embeddings(exchange) : chatCompletions(exchange));
  } catch (error) {
    const known = asGatewayError(error);
    if (known.code === 'internal')
      exchange.services.logger.log('error', 'unexpected failure', exchange.requestId, { detail: known.detail });
    return openAiError(known, exchange.requestId, endpoint);
  }
}
