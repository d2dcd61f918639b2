/**
 * The native request of `POST /v1/infer` on the wire, and the internal request every protocol parses into.
 * Owns field types and bounds; the shape of `input_data` is checked against the model's input specification elsewhere.
 */
import * as z from 'zod';

export const COMPLEXITIES = ['low', 'medium', 'high', 'auto'] as const;
export const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;
const PLACEMENTS = ['any', 'edge', 'cloud'] as const;
const CACHE_MODES = ['default', 'bypass', 'refresh'] as const;

export type Complexity = (typeof COMPLEXITIES)[number];
export type Priority = (typeof PRIORITIES)[number];
export type Placement = (typeof PLACEMENTS)[number];
type CacheMode = (typeof CACHE_MODES)[number];

/** Ten minutes: longer than any upstream here can hold a synchronous call. */
const MAX_LATENCY_REQUIREMENT_MS = 600_000;

export const inferRequestSchema = z.strictObject({
  model_name: z.string().min(1).max(128),
  input_data: z.unknown().refine((value) => value !== undefined && value !== null, 'is required'),
  latency_requirement: z.number().positive().max(MAX_LATENCY_REQUIREMENT_MS).optional(),
  model_complexity: z.enum(COMPLEXITIES).default('auto'),
  priority: z.enum(PRIORITIES).default('normal'),
  min_accuracy: z.number().min(0).max(1).optional(),
  max_cost_usd: z.number().min(0).max(1_000_000).optional(),
  placement: z.enum(PLACEMENTS).default('any'),
  variant: z.string().min(1).max(128).optional(),
  cache: z.enum(CACHE_MODES).default('default'),
  explain: z.boolean().default(false),
});

export type WireInferRequest = z.infer<typeof inferRequestSchema>;

/** What the caller asks of the answer, in the core's own units. */
export type Requirements = {
  /** End to end, from the gateway receiving the request. */
  readonly latencyMs: number | undefined;
  readonly complexity: Complexity;
  readonly priority: Priority;
  readonly minAccuracy: number | undefined;
  readonly maxCostNanos: number | undefined;
  readonly placement: Placement;
  readonly variant: string | undefined;
};

/** One or more inputs of one kind, already checked against the model's input specification. */
export type ModelInput =
  | { readonly kind: 'text'; readonly texts: readonly string[] }
  | {
      readonly kind: 'image';
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      /** Row-major, channel last, values 0..1; length height * width * channels each. */
      readonly images: readonly Float32Array[];
    };

export type InferRequest = {
  readonly modelName: string;
  readonly input: ModelInput;
  readonly requirements: Requirements;
  readonly cacheMode: CacheMode;
  readonly explain: boolean;
};

export function inputCount(input: ModelInput): number {
  return input.kind === 'text' ? input.texts.length : input.images.length;
}

/** The inputs at the given positions, in that order. */
export function selectInputs(input: ModelInput, positions: readonly number[]): ModelInput {
  if (input.kind === 'text') return { kind: 'text', texts: pick(input.texts, positions) };
  return { ...input, images: pick(input.images, positions) };
}

function pick<T>(values: readonly T[], positions: readonly number[]): T[] {
  return positions.flatMap((position) => {
    const value = values[position];
    return value === undefined ? [] : [value];
  });
}
