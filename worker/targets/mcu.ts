/**
 * A pool of microcontrollers behind their hubs. Owns asking one shard after another and putting what a device computed into
 * predictions; which device it is, and everything over its connection, is worker/devices.
 */
import { TOP_COUNT, type Prediction } from '../../shared/schema/prediction.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import { NO_BINDING } from '../devices/directory.ts';
import type { HubItem } from '../devices/hub-port.ts';
import type { Hubs } from '../devices/hubs.ts';
import { top } from '../engine/top.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import { runAttempt } from './attempt.ts';
import { failed, type FailedResult } from './failure.ts';

export type McuTargetOptions = {
  readonly spec: TargetSpec;
  readonly clock: Clock;
  /** Undefined where this deployment has no Durable Object: the target then says it is unreachable. */
  readonly hubs: Hubs | undefined;
};

/** How long a pool without devices is left out of plans before it is asked again. */
const EMPTY_FOR_MS = 2_000;

export function createMcuTarget({ spec, clock, hubs }: McuTargetOptions): Target {
  const { endpoint } = spec;
  if (endpoint.kind !== 'mcu') throw new TypeError(`target ${spec.id} is not a pool of microcontrollers`);
  const { pool, shards } = endpoint;
  let emptyUntilMs = 0;
  let turn = 0;

  async function attempt(call: TargetCall, reachable: Hubs, signal: AbortSignal): Promise<TargetResult> {
    const inputs = inputsOf(call);
    if (inputs === undefined) return failed('rejected', `a device takes no ${call.input.kind}`);
    const endAtMs = clock.now() + Math.min(call.timeoutMs, spec.timeout_ms);
    const model = `${call.model.name}/${call.variant}`;
    // Not the request's own id: callers choose those, and two may choose the same.
    const id = crypto.randomUUID();
    // Of this call alone: others take their turns while it waits.
    const first = (turn += 1);
    let last: FailedResult = failed('not_ready', 'no device is connected');
    for (let tried = 0; tried < shards && !signal.aborted; tried += 1) {
      const hub = reachable.hub(pool, (first + tried) % shards);
      const cancel = (): void => {
        hub.cancel(id).catch(() => undefined);
      };
      signal.addEventListener('abort', cancel);
      try {
        const answer = await hub.infer({ id, pool, model, inputs, timeoutMs: endAtMs - clock.now() });
        if (answer.kind === 'answered') return toPredictions(answer.items, call, inputs.length);
        const failure = failed(answer.reason, answer.detail, { retryAfterMs: answer.retryAfterMs });
        if (answer.nobody !== true && answer.reason !== 'throttled' && answer.reason !== 'not_ready') return failure;
        last = moreTelling(last, failure);
      } catch {
        last = moreTelling(last, failed('cut', 'the hub of the devices broke off'));
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    }
    if (last.reason === 'not_ready') emptyUntilMs = clock.now() + EMPTY_FOR_MS;
    return last;
  }

  return {
    spec,
    get unreachable() {
      if (hubs === undefined) return NO_BINDING;
      return clock.now() < emptyUntilMs ? `no device of the pool ${pool} was ready a moment ago` : undefined;
    },
    async infer(call, signal) {
      if (hubs === undefined) return failed('connect_failed', NO_BINDING);
      return runAttempt(Math.min(call.timeoutMs, spec.timeout_ms), signal, (inner) => attempt(call, hubs, inner));
    },
    async check() {
      if (hubs === undefined) return { ok: false, detail: NO_BINDING };
      try {
        const lists = await Promise.all(
          Array.from({ length: shards }, (_unused, shard) => hubs.hub(pool, shard).list()),
        );
        const connected = lists.flat().filter((device) => device.connected).length;
        return { ok: connected > 0, detail: `${connected} devices of the pool ${pool} are connected` };
      } catch {
        return { ok: false, detail: 'the hub of the devices cannot be reached' };
      }
    },
  };
}

/** Devices that are busy, or may be there, say more of a pool than a shard that has none. */
function moreTelling(before: FailedResult, failure: FailedResult): FailedResult {
  return failure.reason === 'not_ready' && before.reason !== 'not_ready' ? before : failure;
}

function inputsOf({ input }: TargetCall): readonly (Float32Array | string)[] | undefined {
  switch (input.kind) {
    case 'text':
      return input.texts;
    case 'image':
      return input.images;
    case 'numbers':
      return input.rows;
    case 'tensors':
    case 'chat':
      return undefined;
  }
}

function toPredictions(items: readonly HubItem[], { model }: TargetCall, count: number): TargetResult {
  if (items.length !== count) return failed('garbage', `${items.length} answers to ${count} inputs`);
  const predictions: Prediction[] = [];
  let computeMs = 0;
  for (const item of items) {
    if (item.probabilities.length !== model.labels.length) {
      return failed('garbage', `a device answered ${item.probabilities.length} of ${model.labels.length} labels`);
    }
    const ranked = top(item.probabilities, model.labels, TOP_COUNT);
    const [first] = ranked;
    if (first === undefined || !(first.confidence >= 0 && first.confidence <= 1.001)) {
      return failed('garbage', 'a device answered with probabilities out of range');
    }
    const confidence = Math.min(1, first.confidence);
    predictions.push({ kind: 'class', label: first.label, confidence, top: ranked, truncated: false });
    computeMs += item.computeMs;
  }
  return { kind: 'answered', predictions, computeMs };
}
