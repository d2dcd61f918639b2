/**
 * `POST /v1/embeddings`.
 */
import * as z from 'zod/mini';
import { GatewayError } from '../../../shared/errors.ts';
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import { encodeBase64 } from '../../base64.ts';
import { decisionHeaders } from '../decision-headers.ts';
import { parseInput } from '../../pipeline/parse-input.ts';
import { runExchange, type Exchange } from '../exchange.ts';
import { parseWire } from '../parse-wire.ts';
import { readJson } from '../read-json.ts';
import { openAiError } from './error.ts';
import { extensionSchema, renderExtension, requirementsOf } from './extension.ts';
import { parseBody } from './parse-body.ts';

const text = z.string('must be a text or a list of texts; lists of token numbers are not taken');

export const embeddingsBodySchema = z.looseObject(
  {
    model: z.string('must be a text'),
    input: z.union([text, z.array(text)], 'must be a text or a list of texts; lists of token numbers are not taken'),
    encoding_format: z.optional(z.enum(['float', 'base64'], 'must be float or base64')),
    dimensions: z.optional(z.int('must be a whole number')),
    hybrid: extensionSchema,
  },
  'must be a JSON object',
);

type Asked = z.infer<typeof embeddingsBodySchema>;

export async function embeddings(exchange: Exchange): Promise<Response> {
  const { request, requestId } = exchange;
  let asked: Asked | undefined;
  const outcome = await runExchange(exchange, {
    name: 'openai',
    read: async (limits) => {
      asked = parseBody(embeddingsBodySchema, await readJson(request, limits.max_body_bytes));
      return parseWire({
        ...requirementsOf(request.headers, asked.hybrid),
        model_name: asked.model,
        input_data: asked.input,
      });
    },
    // Before any place is asked, and perhaps paid.
    parseInput: (value, spec, maxBatch, model) => {
      if (model.task !== 'sentence_embedding') throw makesNone(model.name);
      return parseInput(value, spec, maxBatch);
    },
  });
  if (outcome.kind === 'failed') return openAiError(outcome.error, requestId, 'embeddings');
  try {
    return Response.json(render(outcome.result, asked), { headers: decisionHeaders(outcome.result) });
  } catch (error) {
    if (error instanceof GatewayError) return openAiError(error, requestId, 'embeddings');
    throw error;
  }
}

function render(result: InferResult, asked: Asked | undefined): Record<string, unknown> {
  const vectors = result.items.map(({ prediction }) => {
    if (prediction.kind === 'embedding') return prediction.embedding;
    throw makesNone(result.modelName);
  });
  const size = vectors[0]?.length ?? 0;
  if (asked?.dimensions !== undefined && asked.dimensions !== size)
    throw new GatewayError('invalid_request', `dimensions: this model's vectors have ${size}.`, {
      field: 'dimensions',
    });
  // Nothing is counted in tokens at the edge; words are what can be said without a tokenizer.
  const words = wordsOf(asked?.input ?? '');
  return {
    object: 'list',
    data: vectors.map((embedding, index) => ({
      object: 'embedding',
      index,
      embedding: asked?.encoding_format === 'base64' ? base64Floats(embedding) : embedding,
    })),
    model: result.modelName,
    usage: { prompt_tokens: words, total_tokens: words },
    hybrid: renderExtension(result),
  };
}

function makesNone(model: string): GatewayError {
  return new GatewayError('invalid_request', `The model "${model}" makes no embeddings.`, { field: 'model' });
}

function wordsOf(input: string | readonly string[]): number {
  const texts = typeof input === 'string' ? [input] : input;
  return texts.reduce((sum, one) => sum + one.split(/\s+/).filter((word) => word !== '').length, 0);
}

/** float32, little endian. */
function base64Floats(values: readonly number[]): string {
  return encodeBase64(new Uint8Array(Float32Array.from(values).buffer));
}
