/**
 * Where the bytes of a variant that the edge serves lie, and what ONNX Runtime must know beside them.
 * Owns shape and bounds; worker/store/weights.ts fetches and checks.
 */
import * as z from 'zod';

const path = z
  .string()
  .max(256)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/,
    'must be names of letters, digits, dot, dash and underscore, separated by slashes',
  );

export const weightsSchema = z.strictObject({
  /** `bundled`: in the script itself; `asset`: a static asset, up to 25 MiB; `r2`: an object of the bucket WEIGHTS. */
  kind: z.enum(['bundled', 'asset', 'r2']),
  /** `model/variant` where bundled, the path below `weights/` of the assets, or the object's key. */
  path,
});

const fileSchema = z.strictObject({
  weights: weightsSchema,
  size_bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What an ONNX file does not say of itself. */
export const onnxSpecSchema = z.strictObject({
  /** Confidence is softmax(logits / temperature). */
  temperature: z.number().min(0.001).max(1_000),
  /** The scores' output; without it, the last one of float32. */
  output: z.string().min(1).max(128).optional(),
  /** Whether the scores sum to one already: they are then taken as they are. */
  scores: z.enum(['logits', 'probabilities']),
  /** Text models: how a text becomes `input_ids` and `attention_mask`. */
  tokenizer: z
    .strictObject({
      kind: z.literal('wordpiece'),
      /** UTF-8, one piece a line. */
      vocabulary: fileSchema,
      lowercase: z.boolean(),
      max_tokens: z.number().int().min(3).max(1_024),
    })
    .optional(),
});

export type WeightsSpec = z.infer<typeof weightsSchema>;
export type OnnxSpec = z.infer<typeof onnxSpecSchema>;
export type WeightsFile = z.infer<typeof fileSchema>;
