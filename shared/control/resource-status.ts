/**
 * What a probe saw of a target, as an item of `RES#<region>`, and back. Owns the mapping; how the worker weighs it against what
 * it sees itself is shared/decide's business. Pure.
 */
import type { Item } from '../config/config-items.ts';
import type { ResourceStatus } from '../decide/facts.ts';
import {
  resourcePartition,
  resourceSortKey,
  TABLE_PARTITION_KEY,
  TABLE_SORT_KEY,
  TABLE_TTL_ATTRIBUTE,
} from '../names.ts';
import type { TargetSpec } from '../schema/config.ts';

/** What a probe adds for people: decisions use latencies that isolates saw themselves. */
export type ProbedStatus = ResourceStatus & {
  /** Of the look itself, which runs no model; null where it was a control plane that answered. */
  readonly latencyMs: number | null;
  /** One sentence; holds neither addresses nor secrets. */
  readonly detail: string;
};

/** Kept a while after it stops meaning anything, so that an operator can see when the last look was. */
const KEEP_MS = 24 * 3_600_000;

export function statusItem(target: TargetSpec, status: ProbedStatus): Item {
  return {
    [TABLE_PARTITION_KEY]: { S: resourcePartition(target.region) },
    [TABLE_SORT_KEY]: { S: resourceSortKey(target.endpoint.kind, target.id) },
    [TABLE_TTL_ATTRIBUTE]: { N: String(Math.ceil((status.asOfMs + KEEP_MS) / 1_000)) },
    target: { S: target.id },
    as_of: { N: String(status.asOfMs) },
    health: { S: status.health },
    detail: { S: status.detail },
    ...(status.loadRatio === null ? {} : { load_ratio: { N: String(status.loadRatio) } }),
    ...(status.priceRatio === null ? {} : { price_ratio: { N: String(status.priceRatio) } }),
    ...(status.latencyMs === null ? {} : { latency_ms: { N: String(status.latencyMs) } }),
  };
}

/** Undefined where the item is not one of these: a broken item says nothing of a place. */
export function parseStatus(item: Item): { readonly target: string; readonly status: ProbedStatus } | undefined {
  const target = textOf(item['target']);
  const asOfMs = numberOf(item['as_of']);
  const health = healthOf(textOf(item['health']));
  if (target === undefined || asOfMs === undefined || health === undefined) return undefined;
  return {
    target,
    status: {
      asOfMs,
      health,
      loadRatio: numberOf(item['load_ratio']) ?? null,
      priceRatio: numberOf(item['price_ratio']) ?? null,
      latencyMs: numberOf(item['latency_ms']) ?? null,
      detail: textOf(item['detail']) ?? '',
    },
  };
}

/** Regions in which something is probed: what lies at the edge is wherever the isolate is. */
export function probedRegions(targets: readonly TargetSpec[]): readonly string[] {
  return [...new Set(targets.filter(isProbed).map((target) => target.region))];
}

export function isProbed(target: TargetSpec): boolean {
  const { kind } = target.endpoint;
  return target.enabled && (kind === 'lambda' || kind === 'sagemaker' || kind === 'gpu');
}

function healthOf(text: string | undefined): ResourceStatus['health'] | undefined {
  return text === 'up' || text === 'scaled_to_zero' || text === 'down' ? text : undefined;
}

function textOf(value: Item[string] | undefined): string | undefined {
  return value !== undefined && 'S' in value ? value.S : undefined;
}

function numberOf(value: Item[string] | undefined): number | undefined {
  const number = value !== undefined && 'N' in value ? Number(value.N) : Number.NaN;
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}
