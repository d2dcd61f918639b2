/**
 * A model's card: what it is, what it was trained on, how good, how large, how fast, per variant.
 * Read loosely (cards carry prose for people); owns only the fields the product uses.
 */
import * as z from 'zod';
import { TASKS } from './task.ts';
import { DATATYPES } from './tensor.ts';

const metricsSchema = z.looseObject({
  accuracy: z.number().min(0).max(1),
  accuracy_in_scope: z.number().min(0).max(1).optional(),
  oos_recall: z.number().min(0).max(1).optional(),
  /** Absent where the model states no confidence. */
  ece: z.number().min(0).max(1).optional(),
  n: z.number().int().positive(),
  split: z.string(),
});

const variantSchema = z.looseObject({
  file: z.string(),
  /** `engine`: in the router's isolate; `onnx`: in the cloud; `onnx_edge`: ONNX Runtime in a worker of its own. */
  runtime: z.enum(['engine', 'onnx', 'onnx_edge']),
  format: z.string(),
  size_bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Absent where there is no confidence to calibrate. */
  calibration: z.looseObject({ kind: z.literal('temperature'), temperature: z.number().positive() }).optional(),
  metrics: metricsSchema,
  latency_ms: z.looseObject({ p50: z.number().positive().nullable(), p95: z.number().positive().nullable() }),
  tokenizer: z
    .looseObject({
      kind: z.literal('wordpiece'),
      vocab: z.string(),
      lowercase: z.boolean(),
      max_tokens: z.number().int().positive(),
      /** Of the vocabulary's file; asked for where it travels to the edge. */
      size_bytes: z.number().int().positive().optional(),
      sha256: z.string().optional(),
    })
    .optional(),
  /** Where the edge finds the file; without it, among the static assets or, above their limit, in R2. */
  weights: z.enum(['asset', 'r2']).optional(),
  /** Of `onnx_edge`: the scores' output where it is not the last of float32 (or else of float64), and whether they sum to one already. */
  onnx: z
    .looseObject({ output: z.string().optional(), scores: z.enum(['logits', 'probabilities']).optional() })
    .optional(),
});

/** -1: any length. */
const tensorSpecSchema = z.strictObject({
  name: z.string().min(1).max(128),
  datatype: z.enum(DATATYPES),
  shape: z.array(z.number().int().min(-1)).max(8),
});

export const taskSchema = z.enum(TASKS);

export const modelInputSpecSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('text'), max_chars: z.number().int().positive() }),
  z.strictObject({
    kind: z.literal('image'),
    height: z.number().int().positive(),
    width: z.number().int().positive(),
    channels: z.literal(1),
  }),
  /** A row of finite features. */
  z.strictObject({ kind: z.literal('numbers'), size: z.number().int().positive() }),
  z.strictObject({
    kind: z.literal('tensors'),
    inputs: z.array(tensorSpecSchema).min(1),
    outputs: z.array(tensorSpecSchema).min(1),
  }),
  z.strictObject({
    kind: z.literal('chat'),
    /** Of all messages together. */
    max_chars: z.number().int().positive(),
    max_output_tokens: z.number().int().positive(),
  }),
]);

export const cardSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  task: taskSchema,
  description: z.string(),
  /** Empty where the task is no classification. */
  labels: z.array(z.string()),
  out_of_scope_label: z.string().nullable(),
  input: modelInputSpecSchema,
  reference_variant: z.string(),
  variants: z.record(z.string(), variantSchema),
});

export type TensorSpec = z.infer<typeof tensorSpecSchema>;
export type ModelInputSpec = z.infer<typeof modelInputSpecSchema>;
export type Card = z.infer<typeof cardSchema>;
export type CardVariant = z.infer<typeof variantSchema>;
