/**
 * A model's card: what it is, what it was trained on, how good, how large, how fast, per variant.
 * Read loosely (cards carry prose for people); owns only the fields the product uses.
 */
import * as z from 'zod';

const metricsSchema = z.looseObject({
  accuracy: z.number().min(0).max(1),
  accuracy_in_scope: z.number().min(0).max(1).optional(),
  oos_recall: z.number().min(0).max(1).optional(),
  ece: z.number().min(0).max(1),
  n: z.number().int().positive(),
  split: z.string(),
});

const variantSchema = z.looseObject({
  file: z.string(),
  runtime: z.enum(['engine', 'onnx']),
  format: z.string(),
  size_bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  calibration: z.looseObject({ kind: z.literal('temperature'), temperature: z.number().positive() }),
  metrics: metricsSchema,
  latency_ms: z.looseObject({ p50: z.number().positive().nullable(), p95: z.number().positive().nullable() }),
  tokenizer: z
    .looseObject({
      kind: z.literal('wordpiece'),
      vocab: z.string(),
      lowercase: z.boolean(),
      max_tokens: z.number().int().positive(),
    })
    .optional(),
});

export const modelInputSpecSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('text'), max_chars: z.number().int().positive() }),
  z.strictObject({
    kind: z.literal('image'),
    height: z.number().int().positive(),
    width: z.number().int().positive(),
    channels: z.literal(1),
  }),
]);

export const cardSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  task: z.enum(['text_classification', 'image_classification']),
  description: z.string(),
  labels: z.array(z.string()).min(2),
  out_of_scope_label: z.string().nullable(),
  input: modelInputSpecSchema,
  reference_variant: z.string(),
  variants: z.record(z.string(), variantSchema),
});

export type ModelInputSpec = z.infer<typeof modelInputSpecSchema>;
export type Card = z.infer<typeof cardSchema>;
export type CardVariant = z.infer<typeof variantSchema>;
