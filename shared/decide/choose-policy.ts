/**
 * Which of the policies a route knows this request gets: the first rule that fits, else the route's own; then the arm of
 * a split or a canary. Owns conditions and arms; what a policy means is plan.ts.
 */
import { breakerVerdict } from '../resilience/breaker.ts';
import type { BreakerPolicy } from '../schema/config.ts';
import { CANARY_STOP } from '../schema/canary-stop.ts';
import type { BasePolicy, CanaryStop, PolicyArm, RoutePolicy, RuleCondition, Sticky } from '../schema/route-policy.ts';
import { CHANCE_OF, drawFor, drawOfText } from './chance.ts';
import type { Facts } from './facts.ts';
import type { ChosenCanary } from './plan-types.ts';

export type ChosenPolicy = {
  readonly policy: BasePolicy;
  /** Names the rule and the arm, whatever else the label says: answers of one way are no answers of another. */
  readonly way: string;
  /** The only places it may use; undefined: any. */
  readonly targets: readonly string[] | undefined;
  /** For people and dashboards: `cascade`, `rule vip: split b: cheapest`. */
  readonly label: string;
  /** Where a canary was chosen: what its outcome counts against. */
  readonly canary: ChosenCanary | undefined;
};

/** All that the choice depends on: known before anything is estimated. */
export type ChoiceFacts = Pick<Facts, 'requirements' | 'caller' | 'inputChars' | 'route' | 'random' | 'arms' | 'nowMs'>;

export function choosePolicy(facts: ChoiceFacts): ChosenPolicy {
  const { policy } = facts.route;
  const rule = ruleOf(facts);
  return rule === undefined
    ? resolve(policy, facts, '', facts.route.name)
    : resolve(rule.policy, facts, `rule ${rule.name}: `, `${facts.route.name}/${rule.name}`);
}

/** The rule that chooses for this request, or undefined: the route itself does. */
function ruleOf(facts: ChoiceFacts): RuleSpec | undefined {
  return facts.route.rules?.find(({ when }) => holds(when, facts));
}

type RuleSpec = NonNullable<ChoiceFacts['route']['rules']>[number];

function resolve(policy: RoutePolicy, facts: ChoiceFacts, prefix: string, place: string): ChosenPolicy {
  switch (policy.kind) {
    case 'cascade':
    case 'cheapest':
    case 'fastest':
    case 'most_accurate':
      return { policy, way: place, targets: undefined, label: `${prefix}${policy.kind}`, canary: undefined };
    case 'split':
      return toChosen(armAt(policy.arms, drawOf(policy.sticky, facts, place)), place, `${prefix}split`);
    case 'canary': {
      const key = armKey(place, policy.canary);
      const stopped = isStopped(key, facts);
      const isChosen = !stopped && drawOf(policy.sticky, facts, place) < policy.share;
      if (isChosen)
        return { ...toChosen(policy.canary, place, `${prefix}canary`), canary: { key, stop: stopPolicy(policy.stop) } };
      return toChosen(policy.base, place, `${prefix}canary${stopped ? ' (stopped)' : ''}`);
    }
  }
}

function toChosen(arm: PolicyArm, place: string, label: string): ChosenPolicy {
  return {
    policy: arm.policy,
    way: armKey(place, arm),
    targets: arm.targets,
    label: `${label} ${arm.name}: ${arm.policy.kind}`,
    canary: undefined,
  };
}

/** A canary stops as a target's breaker opens; each time it fails its one probe it stays away longer. */
function stopPolicy(stop: CanaryStop = CANARY_STOP): BreakerPolicy {
  return {
    failure_ratio: stop.failure_ratio,
    minimum_calls: stop.minimum_requests,
    window_ms: stop.window_ms,
    open_ms: stop.hold_ms,
    max_open_ms: stop.hold_ms * LONGEST_HOLD,
  };
}

const LONGEST_HOLD = 8;

function armKey(place: string, arm: PolicyArm): string {
  return `${place}/${arm.name}`;
}

/** One request may try a stopped canary again when its time is over: half open, it is busy for the others. */
function isStopped(key: string, facts: ChoiceFacts): boolean {
  const breaker = facts.arms?.[key];
  if (breaker === undefined) return false;
  const verdict = breakerVerdict(breaker, facts.nowMs);
  return verdict === 'open' || verdict === 'half_open_busy';
}

/** Sticky draws hash the key with the route, so that one tenant is not first in line for every canary there is. */
function drawOf(sticky: Sticky = 'none', facts: ChoiceFacts, place: string): number {
  const { caller, random } = facts;
  if (sticky === 'none' || caller === undefined) return drawFor(random, CHANCE_OF.arm);
  return drawOfText(`${place}\n${keyOf(sticky, caller)}`);
}

function keyOf(sticky: Exclude<Sticky, 'none'>, caller: NonNullable<ChoiceFacts['caller']>): string {
  if (sticky === 'request') return caller.requestId;
  if (sticky === 'tenant') return caller.tenant;
  return valueOf(caller.metadata, sticky.metadata) ?? caller.requestId;
}

function armAt<A extends { readonly weight: number }>(arms: readonly A[], draw: number): A {
  let total = 0;
  for (const arm of arms) total += arm.weight;
  let passed = 0;
  for (const arm of arms) {
    passed += arm.weight;
    if (draw * total < passed) return arm;
  }
  const last = arms.at(-1);
  if (last === undefined) throw new RangeError('a split has arms');
  return last;
}

function holds(when: RuleCondition, facts: ChoiceFacts): boolean {
  const { requirements, caller, inputChars } = facts;
  if (when.priorities?.includes(requirements.priority) === false) return false;
  if (when.complexities?.includes(requirements.complexity) === false) return false;
  if (when.tenants?.includes(caller?.tenant ?? '') === false) return false;
  if (when.min_input_chars !== undefined && !((inputChars ?? -1) >= when.min_input_chars)) return false;
  if (when.max_input_chars !== undefined && !((inputChars ?? Infinity) <= when.max_input_chars)) return false;
  for (const [key, values] of Object.entries(when.metadata ?? {})) {
    const value = caller === undefined ? undefined : valueOf(caller.metadata, key);
    if (value === undefined || !values.includes(value)) return false;
  }
  return true;
}

function valueOf(metadata: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
}
