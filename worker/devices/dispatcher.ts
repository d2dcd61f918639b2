/**
 * Which device answers which request. Each input waits for the least loaded device that holds the model and has a place in
 * its window; a device that leaves gives its requests back; the first answer counts and every later one is dropped.
 * Owns numbers, deadlines and windows of requests; leaves out what a frame looks like.
 */
import { inferFrameBytes, MAX_FRAME_BYTES } from '../../shared/device/frame.ts';
import type { DeviceErrorCode } from '../../shared/device/frame-error.ts';
import type { DeviceTensor } from '../../shared/device/tensor.ts';
import type { HubAnswer, HubItem } from './hub-port.ts';
import type { Session } from './session.ts';

export type Failure = Extract<HubAnswer, { kind: 'failed' }>;
type Dispatched = { readonly kind: 'answered'; readonly item: HubItem } | Failure;

type Work = {
  readonly callId: string;
  readonly modelSha256: string;
  readonly pool: string;
  readonly tensor: DeviceTensor;
  readonly deadlineAtMs: number;
};

type Pending = Work & {
  readonly request: number;
  readonly frameBytes: number;
  attempts: number;
  settled: boolean;
  readonly settle: (result: Dispatched) => void;
};

type DispatcherOptions = {
  readonly now: () => number;
  /** Every device that has said hello. */
  readonly sessions: () => Iterable<Session>;
  /** Whether it was heard of not long ago. Asked last: it is a call of the platform. */
  readonly isAwake: (session: Session) => boolean;
  readonly firstRequest: number;
};

/** How often one input is sent, with devices that leave or refuse in between. */
const MAX_ATTEMPTS = 4;
/** A device that let a deadline pass in silence keeps its place this long, because it may still be at it. */
const SILENCE_MS = 5_000;
/** Waiting inputs a pool's place may have before more are turned away. */
const WAITING_PER_PLACE = 8;
const LEAST_WAITING = 64;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #open = new Map<number, Pending>();
  #waiting: Pending[] = [];
  #lastRequest: number;
  #uses = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#lastRequest = options.firstRequest;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  submit(work: Work): Promise<Dispatched> {
    const frameBytes = inferFrameBytes(work.tensor);
    if (!this.#fitsAny(work, frameBytes)) {
      const detail = `no device takes a request of ${frameBytes} bytes`;
      return Promise.resolve({ kind: 'failed', reason: 'rejected', detail });
    }
    if (this.#waiting.length >= LEAST_WAITING && this.#waiting.length >= this.#room(work)) {
      return Promise.resolve({
        kind: 'failed',
        reason: 'throttled',
        detail: `${this.#waiting.length} inputs wait for a device already`,
        retryAfterMs: 1_000,
      });
    }
    return new Promise((resolve) => {
      const pending: Pending = {
        ...work,
        request: this.#nextRequest(),
        frameBytes,
        attempts: 0,
        settled: false,
        settle: (result) => {
          if (pending.settled) return;
          pending.settled = true;
          clearTimeout(timer);
          this.#open.delete(pending.request);
          this.#waiting = this.#waiting.filter((it) => it !== pending);
          resolve(result);
        },
      };
      const timer = setTimeout(
        () => pending.settle({ kind: 'failed', reason: 'timeout', detail: 'no device answered in time' }),
        Math.max(0, work.deadlineAtMs - this.#options.now()),
      );
      this.#open.set(pending.request, pending);
      this.#waiting.push(pending);
      this.pump();
    });
  }

  /** Sends what waits to whoever has room. Call whenever a device has come, changed or become free. */
  pump(): void {
    /** Of each model the smallest request that found no place: a larger one finds none either. */
    const full = new Map<string, number>();
    for (const pending of this.#waiting) {
      if (pending.frameBytes >= (full.get(pending.modelSha256) ?? Infinity)) continue;
      const leftMs = pending.deadlineAtMs - this.#options.now();
      if (leftMs <= 0) continue;
      const session = this.#choose(pending);
      if (session === undefined) {
        full.set(pending.modelSha256, pending.frameBytes);
        continue;
      }
      this.#waiting = this.#waiting.filter((it) => it !== pending);
      pending.attempts += 1;
      session.sent.set(pending.request, pending.deadlineAtMs + SILENCE_MS);
      this.#uses += 1;
      session.lastUsed = this.#uses;
      const modelHashPrefix = prefixOf(pending.modelSha256);
      if (!session.send({ type: 'infer', modelHashPrefix, tensor: pending.tensor }, pending.request, leftMs)) {
        session.sent.delete(pending.request);
        this.#again(pending, 'cut', 'the device left');
      }
    }
  }

  answered(session: Session, request: number, item: HubItem): void {
    // Only what this very device was sent: an answer to anything else is made up, or came too late to be held against anyone.
    if (!session.sent.delete(request)) return;
    this.#open.get(request)?.settle({ kind: 'answered', item });
    if (this.#waiting.length > 0) this.pump();
  }

  refused(session: Session, request: number, code: DeviceErrorCode): void {
    if (!session.sent.delete(request)) return;
    const pending = this.#open.get(request);
    if (pending !== undefined) {
      if (code === 'deadline_passed') {
        pending.settle({ kind: 'failed', reason: 'timeout', detail: 'the device had no time left' });
      } else if (code === 'unsupported_input') {
        pending.settle({ kind: 'failed', reason: 'rejected', detail: 'the device cannot take this input' });
      } else this.#again(pending, 'upstream_error', `the device refused: ${code}`);
    }
    this.pump();
  }

  /** Its requests go to others, or wait for it to come back, until their deadlines. */
  left(session: Session): void {
    for (const request of session.sent.keys()) {
      const pending = this.#open.get(request);
      if (pending !== undefined) this.#again(pending, 'cut', 'the device left');
    }
    session.sent.clear();
    this.pump();
  }

  cancel(callId: string): void {
    for (const pending of this.#open.values()) {
      if (pending.callId === callId) pending.settle({ kind: 'failed', reason: 'cancelled', detail: 'called off' });
    }
  }

  #again(pending: Pending, reason: Failure['reason'], detail: string): void {
    if (pending.settled) return;
    if (pending.attempts >= MAX_ATTEMPTS) pending.settle({ kind: 'failed', reason, detail });
    // At the front: it has waited longest.
    else this.#waiting.unshift(pending);
  }

  *#holders({ modelSha256, pool }: Pick<Work, 'modelSha256' | 'pool'>): Iterable<Session> {
    for (const session of this.#options.sessions()) {
      if (session.state.modelSha256 === modelSha256 && session.state.pool === pool) yield session;
    }
  }

  /** Where nobody is here to ask, whoever comes may take it. */
  #fitsAny(work: Work, frameBytes: number): boolean {
    if (frameBytes > MAX_FRAME_BYTES) return false;
    let isAnybodyHere = false;
    for (const { state } of this.#holders(work)) {
      if (frameBytes <= state.maxFrameBytes) return true;
      isAnybodyHere = true;
    }
    return !isAnybodyHere;
  }

  #room(work: Work): number {
    let places = 0;
    for (const { state } of this.#holders(work)) places += state.window;
    return places * WAITING_PER_PLACE;
  }

  /** The most idle by share of its window, then by what it says of itself, then the one that was used longest ago. */
  #choose(pending: Pending): Session | undefined {
    const silent = new Set<Session>();
    for (;;) {
      let best: Session | undefined;
      let bestLoad = Infinity;
      for (const session of this.#holders(pending)) {
        const { window, load, maxFrameBytes } = session.state;
        if (pending.frameBytes > maxFrameBytes) continue;
        const sent = this.#placesTaken(session);
        if (sent >= window || silent.has(session)) continue;
        const share = sent / window + (load === null ? 0 : load.busyPercent / 1_000);
        if (share > bestLoad || (share === bestLoad && session.lastUsed >= (best?.lastUsed ?? 0))) continue;
        best = session;
        bestLoad = share;
      }
      if (best === undefined || this.#options.isAwake(best)) return best;
      silent.add(best);
    }
  }

  #placesTaken(session: Session): number {
    if (session.sent.size === 0) return 0;
    const nowMs = this.#options.now();
    for (const [request, untilMs] of session.sent) if (untilMs < nowMs) session.sent.delete(request);
    return session.sent.size;
  }

  /** Never 0, which means none; never one that is still open. */
  #nextRequest(): number {
    do this.#lastRequest = (this.#lastRequest % 0xffffffff) + 1;
    while (this.#open.has(this.#lastRequest));
    return this.#lastRequest;
  }
}

export function prefixOf(sha256: string): Uint8Array {
  return bytesFromHex(sha256).subarray(0, 4);
}

export function bytesFromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_unused, index) =>
    Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  );
}
