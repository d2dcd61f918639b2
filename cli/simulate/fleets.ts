/**
 * What stands behind a cloud target: environments that start on demand (Lambda, SageMaker serverless), or instances that
 * are paid for whether used or not. Owns who is free when, cold starts, limits, scaling. A call is placed as it arrives,
 * so its end is known at once.
 */
import {
  ENVIRONMENTS_PER_WINDOW,
  ENVIRONMENT_IDLE_MS,
  INSTANCE_START_MS,
  INSTANCE_TARGET_UTILIZATION,
  SCALE_IN_AFTER_MS,
  SCALING_PERIOD_MS,
  SCALING_WINDOW_MS,
} from './assumptions.ts';

export type Placed =
  | { readonly kind: 'served'; readonly endsAtMs: number; readonly busyMs: number }
  | { readonly kind: 'throttled' };

export type Fleet = {
  /**
   * @param serviceMs how long it takes on a warm, well place
   * @param coldMs what a start adds, should one be needed
   * @param draw from 0 to 1: which of several that are free
   */
  place(arrivesAtMs: number, serviceMs: number, coldMs: number, draw: number): Placed;
  /** Hours of instances up to this time, idle ones included; 0 where only use is paid for. */
  instanceHours(untilMs: number): number;
};

/** One replica of so many is this many times slower. */
export type SlowReplica = { readonly oneIn: number; readonly factor: number };

type Replica = { freeAtMs: number; readonly slowdown: number };

function slowdownOf(ordinal: number, slow: SlowReplica | undefined): number {
  return slow !== undefined && ordinal % slow.oneIn === slow.oneIn - 1 ? slow.factor : 1;
}

export class OnDemandFleet implements Fleet {
  readonly #limit: number;
  readonly #slow: SlowReplica | undefined;
  #environments: Replica[] = [];
  #started = 0;
  #windowStartMs = -Infinity;
  #startedInWindow = 0;

  constructor(limit: number, slow?: SlowReplica) {
    this.#limit = limit;
    this.#slow = slow;
  }

  place(arrivesAtMs: number, serviceMs: number, coldMs: number): Placed {
    const free = this.#latestFree(arrivesAtMs);
    if (free !== undefined) return this.#serve(free, arrivesAtMs, serviceMs);
    this.#environments = this.#environments.filter(({ freeAtMs }) => arrivesAtMs - freeAtMs < ENVIRONMENT_IDLE_MS);
    if (this.#environments.length >= this.#limit || !this.#mayStart(arrivesAtMs)) return { kind: 'throttled' };
    const started = { freeAtMs: arrivesAtMs, slowdown: slowdownOf(this.#started, this.#slow) };
    this.#started += 1;
    this.#environments.push(started);
    return this.#serve(started, arrivesAtMs, serviceMs + coldMs);
  }

  instanceHours(): number {
    return 0;
  }

  /** The one used last: the others may go cold. */
  #latestFree(atMs: number): Replica | undefined {
    let latest: Replica | undefined;
    for (const environment of this.#environments) {
      const { freeAtMs } = environment;
      if (freeAtMs > atMs || atMs - freeAtMs >= ENVIRONMENT_IDLE_MS) continue;
      if (latest === undefined || freeAtMs > latest.freeAtMs) latest = environment;
    }
    return latest;
  }

  #mayStart(atMs: number): boolean {
    if (atMs - this.#windowStartMs >= SCALING_WINDOW_MS) {
      this.#windowStartMs = atMs;
      this.#startedInWindow = 0;
    }
    this.#startedInWindow += 1;
    return this.#startedInWindow <= ENVIRONMENTS_PER_WINDOW;
  }

  #serve(environment: Replica, startsAtMs: number, serviceMs: number): Placed {
    const busyMs = serviceMs * environment.slowdown;
    environment.freeAtMs = startsAtMs + busyMs;
    return { kind: 'served', endsAtMs: environment.freeAtMs, busyMs };
  }
}

export type InstanceOptions = {
  readonly instances: number;
  /** Calls that one instance works on at once. */
  readonly concurrency: number;
  readonly isScaled: boolean;
  readonly slow?: SlowReplica | undefined;
};

export class InstanceFleet implements Fleet {
  readonly #options: InstanceOptions;
  readonly #slots: Replica[] = [];
  #instances = 0;
  #hours = 0;
  #countedToMs = 0;
  #periodStartMs = 0;
  #busyInPeriodMs = 0;
  #neededLastAtMs = 0;
  #starting: { readonly readyAtMs: number; readonly count: number } | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#grow(options.instances, 0);
  }

  place(arrivesAtMs: number, serviceMs: number, _coldMs: number, draw: number): Placed {
    this.#scaleTo(arrivesAtMs);
    const slot = this.#freeSlot(arrivesAtMs, draw);
    if (slot === undefined) return { kind: 'throttled' };
    const busyMs = serviceMs * slot.slowdown;
    const startsAtMs = Math.max(arrivesAtMs, slot.freeAtMs);
    slot.freeAtMs = startsAtMs + busyMs;
    this.#busyInPeriodMs += busyMs;
    return { kind: 'served', endsAtMs: slot.freeAtMs, busyMs };
  }

  instanceHours(untilMs: number): number {
    this.#count(untilMs);
    return this.#hours;
  }

  /** Any that is free, with equal chances; else the one that is free first. */
  #freeSlot(atMs: number, draw: number): Replica | undefined {
    const slots = this.#slots;
    let free = 0;
    let earliest: Replica | undefined;
    for (const slot of slots) {
      if (slot.freeAtMs <= atMs) free += 1;
      if (earliest === undefined || slot.freeAtMs < earliest.freeAtMs) earliest = slot;
    }
    if (free === 0) return earliest;
    let wanted = Math.floor(draw * free);
    for (const slot of slots) {
      if (slot.freeAtMs > atMs) continue;
      if (wanted === 0) return slot;
      wanted -= 1;
    }
    return earliest;
  }

  #scaleTo(atMs: number): void {
    if (this.#starting !== undefined && atMs >= this.#starting.readyAtMs) {
      const { count, readyAtMs } = this.#starting;
      this.#starting = undefined;
      this.#grow(count, readyAtMs);
    }
    if (!this.#options.isScaled || atMs - this.#periodStartMs < SCALING_PERIOD_MS) return;
    const capacityMs = (atMs - this.#periodStartMs) * this.#options.concurrency * INSTANCE_TARGET_UTILIZATION;
    const needed = Math.max(this.#options.instances, Math.ceil(this.#busyInPeriodMs / capacityMs));
    this.#periodStartMs = atMs;
    this.#busyInPeriodMs = 0;
    if (needed >= this.#instances) this.#neededLastAtMs = atMs;
    if (needed > this.#instances && this.#starting === undefined) {
      this.#starting = { readyAtMs: atMs + INSTANCE_START_MS, count: needed - this.#instances };
    } else if (needed < this.#instances && atMs - this.#neededLastAtMs >= SCALE_IN_AFTER_MS) {
      this.#count(atMs);
      this.#slots.length -= (this.#instances - needed) * this.#options.concurrency;
      this.#instances = needed;
    }
  }

  #grow(count: number, atMs: number): void {
    this.#count(atMs);
    for (let one = 0; one < count; one += 1) {
      const slowdown = slowdownOf(this.#instances, this.#options.slow);
      for (let slot = 0; slot < this.#options.concurrency; slot += 1) this.#slots.push({ freeAtMs: atMs, slowdown });
      this.#instances += 1;
    }
  }

  #count(untilMs: number): void {
    if (untilMs <= this.#countedToMs) return;
    this.#hours += (this.#instances * (untilMs - this.#countedToMs)) / 3_600_000;
    this.#countedToMs = untilMs;
  }
}
