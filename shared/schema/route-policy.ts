/**
 * How a route chooses: its policy, the rules that choose another one for some requests, and what it may spend on being
 * sure. Owns shape and bounds. References are checked in config/check-route.ts, meaning is given in decide/.
 * Every field beside the policy is optional, so that configurations stored before it existed stay valid.
 */
import * as z from 'zod';
import { COMPLEXITIES, METADATA_KEY, PRIORITIES } from './infer-request.ts';
import { configName as name } from './config-name.ts';

const ratio = z.number().min(0).max(1);
/** A price above it is a slip, and sums of such would lose their nano-dollars. */
export const MAX_PRICE_USD = 1_000_000;
const usd = z.number().nonnegative().max(MAX_PRICE_USD);
const weight = z.number().positive().max(1_000_000);

const cascadeStepSchema = z.strictObject({
  variant: name,
  /** An answer below it is escalated. */
  accept_confidence: ratio,
});

const cascadeSchema = z.strictObject({ kind: z.literal('cascade'), steps: z.array(cascadeStepSchema).min(1) });
const cheapestSchema = z.strictObject({ kind: z.literal('cheapest') });
const fastestSchema = z.strictObject({ kind: z.literal('fastest') });
const mostAccurateSchema = z.strictObject({ kind: z.literal('most_accurate') });

const targetIds = z.array(name).min(1);

const armSchema = z.strictObject({
  name,
  policy: z.discriminatedUnion('kind', [cascadeSchema, cheapestSchema, fastestSchema, mostAccurateSchema]),
  /** Only these places; without it, all that serve the model. */
  targets: targetIds.optional(),
});

/** What keeps a caller on one arm: nothing, the request's id, the tenant, or a metadata value (the id where it is absent). */
const stickySchema = z.union([
  z.enum(['none', 'request', 'tenant']),
  z.strictObject({ metadata: z.string().regex(METADATA_KEY) }),
]);

const splitSchema = z.strictObject({
  kind: z.literal('split'),
  arms: z.array(armSchema.extend({ weight })).min(2).max(16),
  sticky: stickySchema.optional(),
});

const canarySchema = z.strictObject({
  kind: z.literal('canary'),
  base: armSchema,
  canary: armSchema,
  /** Share of requests (of keys, where sticky) that go to the canary. */
  share: ratio,
  sticky: stickySchema.optional(),
  /** The canary gets nothing for `hold_ms` once this share of its requests went wrong. Defaults: CANARY_STOP. */
  stop: z
    .strictObject({
      failure_ratio: z.number().gt(0).max(1),
      minimum_requests: z.number().int().positive(),
      window_ms: z.number().positive().max(3_600_000),
      hold_ms: z.number().positive().max(86_400_000),
    })
    .optional(),
});

export const policySchema = z.discriminatedUnion('kind', [
  cascadeSchema,
  cheapestSchema,
  fastestSchema,
  mostAccurateSchema,
  splitSchema,
  canarySchema,
]);

/** Every condition given must hold; of a list, one value must match. */
const conditionSchema = z.strictObject({
  tenants: z.array(name).min(1).optional(),
  priorities: z.array(z.enum(PRIORITIES)).min(1).optional(),
  complexities: z.array(z.enum(COMPLEXITIES)).min(1).optional(),
  metadata: z.record(z.string().regex(METADATA_KEY), z.array(z.string().max(256)).min(1)).optional(),
  /** Characters of the longest text; bounds included. Other inputs have none. */
  min_input_chars: z.number().int().nonnegative().optional(),
  max_input_chars: z.number().int().nonnegative().optional(),
});

const ruleSchema = z.strictObject({ name, when: conditionSchema, policy: policySchema });

export const routeOptions = {
  /** The first rule whose conditions hold chooses the policy; where none does, the route's own stands. */
  rules: z.array(ruleSchema).max(64).optional(),
  /**
   * A price handicap: places at the edge compete as if they cost, and took, this share less. 0 (default): none;
   * 1: the edge wins wherever it meets the requirements.
   */
  edge_preference: ratio.optional(),
  /** Kinds of places that go first among those that meet the requirements and serve the same variant, whatever they cost. */
  prefer: z
    .array(z.enum(['edge', 'gpu', 'mcu', 'lambda', 'sagemaker']))
    .min(1)
    .optional(),
  /** No request of the route may cost more, whatever it asks. */
  max_cost_usd: usd.optional(),
  /** What one isolate may spend on the route over time; past it only what costs no more than what trickles in. `critical` is exempt. */
  budget: z.strictObject({ usd_per_hour: usd, burst_usd: usd }).optional(),
  /** Share of requests that try a place whose estimate has gone stale, where that cannot break the deadline. Never `critical`. */
  exploration: z.strictObject({ share: z.number().min(0).max(0.05) }).optional(),
  /** Who pays for the next step at once when time does not hold both in sequence. Default: high and critical. */
  speculation: z.strictObject({ priorities: z.array(z.enum(PRIORITIES)) }).optional(),
  /** A second attempt once the first has taken longer than its own p95. */
  hedge: z
    .strictObject({
      /** Hedges a hundred calls may be followed by, over a hundred. */
      max_extra_ratio: z.number().gt(0).max(0.05),
    })
    .optional(),
  /** A background copy of some requests: neither delays nor changes the answer, nor is charged to the caller. */
  shadow: z
    .strictObject({
      share: ratio,
      variant: name,
      target: name.optional(),
      max_per_minute: z.number().int().positive().max(6_000),
    })
    .optional(),
  /** Under `auto`, a request estimated harder than this (P(large right) - P(small right)) starts at the second step. */
  skip_above_difficulty: z.number().min(-1).max(1).optional(),
};

export type RoutePolicy = z.infer<typeof policySchema>;
/** What a split, a canary or a rule comes down to. */
export type BasePolicy = Extract<RoutePolicy, { kind: 'cascade' | 'cheapest' | 'fastest' | 'most_accurate' }>;
export type CascadeSteps = Extract<RoutePolicy, { kind: 'cascade' }>['steps'];
export type PolicyArm = z.infer<typeof armSchema>;
export type Sticky = z.infer<typeof stickySchema>;
export type RuleCondition = z.infer<typeof conditionSchema>;
export type CanaryStop = NonNullable<z.infer<typeof canarySchema>['stop']>;
