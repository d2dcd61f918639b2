/**
 * The native request of `POST /v1/infer` on the wire, and the internal request every protocol parses into.
 * Owns field types and bounds; the shape of `input_data` is checked against the model's input specification elsewhere.
 */
import * as z from 'zod/mini';
import type { ModelInput } from './model-input.ts';

export const COMPLEXITIES = ['low', 'medium', 'high', 'auto'] as const;
export const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;
const PLACEMENTS = ['any', 'edge', 'cloud'] as const;
const CACHE_MODES = ['default', 'bypass', 'refresh'] as const;

export type Complexity = (typeof COMPLEXITIES)[number];
export type Priority = (typeof PRIORITIES)[number];
export type Placement = (typeof PLACEMENTS)[number];
type CacheMode = (typeof CACHE_MODES)[number];

/** Keys of `metadata`, in requests and in the rules that look at them. */
export const METADATA_KEY = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const MAX_METADATA_KEYS = 16;
const MAX_METADATA_CHARS = 256;

/** Ten minutes: longer than any upstream here can hold a synchronous call. */
const MAX_LATENCY_REQUIREMENT_MS = 600_000;

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, `must be one of ${values.join(', ')}`);
const shortName = z
  .string('must be a text')
  .check(z.minLength(1, 'must not be empty'), z.maxLength(128, 'has more than 128 characters'));
const share = z
  .number('must be a number')
  .check(z.minimum(0, 'must be from 0 to 1'), z.maximum(1, 'must be from 0 to 1'));

/** Of zod/mini: the full library takes ten times as long to set up as a first answer may wait for. */
export const inferRequestSchema = z.strictObject(
  {
    model_name: shortName,
    input_data: z.unknown().check(z.refine((value) => value !== undefined && value !== null, 'is required')),
    latency_requirement: z.optional(
      z
        .number('must be a finite number of milliseconds')
        .check(
          z.positive('must be above 0'),
          z.maximum(MAX_LATENCY_REQUIREMENT_MS, `must be at most ${MAX_LATENCY_REQUIREMENT_MS}`),
        ),
    ),
    model_complexity: z._default(oneOf(COMPLEXITIES), 'auto'),
    priority: z._default(oneOf(PRIORITIES), 'normal'),
    min_accuracy: z.optional(share),
    max_cost_usd: z.optional(
      z
        .number('must be a number of US dollars')
        .check(z.minimum(0, 'must not be negative'), z.maximum(1_000_000, 'is above a million')),
    ),
    placement: z._default(oneOf(PLACEMENTS), 'any'),
    variant: z.optional(shortName),
    cache: z._default(oneOf(CACHE_MODES), 'default'),
    explain: z._default(z.boolean('must be true or false'), false),
    /** For the route's rules; never sent on, never logged. */
    metadata: z.optional(
      z
        .record(
          z.string().check(z.regex(METADATA_KEY, 'must be lower-case letters, digits, dot, dash or underscore')),
          z
            .string('must be a text')
            .check(z.maxLength(MAX_METADATA_CHARS, `has more than ${MAX_METADATA_CHARS} characters`)),
          'must be an object of texts',
        )
        .check(
          z.refine(
            (entries) => Object.keys(entries).length <= MAX_METADATA_KEYS,
            `has more than ${MAX_METADATA_KEYS} keys`,
          ),
        ),
    ),
  },
  // Unknown keys have an issue of their own, which names them.
  { error: (issue) => (issue.code === 'invalid_type' ? 'must be a JSON object' : undefined) },
);

/** As a caller writes it: what has a default may be left out. */
export type InferRequestInput = z.input<typeof inferRequestSchema>;

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

export type Metadata = Readonly<Record<string, string>>;

export type InferRequest = {
  readonly modelName: string;
  readonly input: ModelInput;
  readonly requirements: Requirements;
  readonly cacheMode: CacheMode;
  readonly explain: boolean;
  readonly metadata?: Metadata | undefined;
};
