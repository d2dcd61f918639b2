/**
 * The protocol between the gateway's adapters and the model server (Lambda Function URL and SageMaker alike).
 * Request: one JSON document. Answer: JSON Lines, one `prediction` or `embedding` line per input in order, then exactly one `done` line
 * (or an `error` line that ends the answer). A body without its last line was cut.
 */
import * as z from 'zod';

const textInputSchema = z.strictObject({ kind: z.literal('text'), texts: z.array(z.string()).min(1) });
const imageInputSchema = z.strictObject({
  kind: z.literal('image'),
  height: z.number().int().positive(),
  width: z.number().int().positive(),
  channels: z.number().int().positive(),
  /** float32 little endian, `count * height * width * channels` values, base64. */
  pixels_base64: z.string(),
  count: z.number().int().positive(),
});

const numbersInputSchema = z.strictObject({
  kind: z.literal('numbers'),
  size: z.number().int().positive(),
  /** float32 little endian, `count * size` values, base64. */
  values_base64: z.string(),
  count: z.number().int().positive(),
});

export const upstreamRequestSchema = z.strictObject({
  request_id: z.string(),
  model: z.string(),
  variant: z.string(),
  input: z.discriminatedUnion('kind', [textInputSchema, imageInputSchema, numbersInputSchema]),
  /** Milliseconds the server may still spend. */
  deadline_ms: z.number().positive(),
});
export type UpstreamRequest = z.infer<typeof upstreamRequestSchema>;

const rankedLabelSchema = z.object({ label: z.string(), confidence: z.number().min(0).max(1) });

export const upstreamLineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('prediction'),
    label: z.string(),
    confidence: z.number().min(0).max(1),
    top: z.array(rankedLabelSchema),
    truncated: z.boolean(),
  }),
  z.object({ kind: z.literal('embedding'), embedding: z.array(z.number()).min(1), truncated: z.boolean() }),
  z.object({ kind: z.literal('done'), count: z.number().int().nonnegative(), compute_ms: z.number().nonnegative() }),
  z.object({ kind: z.literal('error'), code: z.string(), message: z.string() }),
]);
export type UpstreamLine = z.infer<typeof upstreamLineSchema>;
