/**
 * Temporary credentials kept for this isolate: fetched once for all who wait, renewed early in the background, given at
 * once while they are warm. Owns when to fetch, and waiting longer after failures; leaves out where they come from.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { Clock, Random } from '../ports.ts';
import type { AwsCredentials, CredentialsSource } from './credentials.ts';
import type { TemporaryCredentials } from './sts.ts';

export type RefreshedCredentialsOptions = {
  fetch(signal: AbortSignal): Promise<TemporaryCredentials>;
  readonly clock: Clock;
  readonly random: Random;
  /** Lets a fetch outlive the request that began it. */
  keepAlive(work: Promise<void>): void;
  onFailure?(error: unknown): void;
  readonly timeoutMs?: number;
};

type Held = {
  /** Made once: a warm answer costs neither a promise nor a turn more than fixed keys do. */
  readonly credentials: Promise<AwsCredentials>;
  readonly fetchedAtMs: number;
  readonly refreshAtMs: number;
  readonly usableUntilMs: number;
};
type Flight = { readonly startedAtMs: number; readonly done: Promise<AwsCredentials> };

const TIMEOUT_MS = 5_000;
/** AWS's clock and this one may differ; a request also takes its time to arrive. */
const EXPIRY_MARGIN_MS = 60_000;
/** Of the lifetime; spread so that isolates which started together do not come together: 1.1 to 1.3 calls an hour. */
const REFRESH_AFTER_RATIO = 0.75;
const REFRESH_SPREAD_RATIO = 0.15;
/** Sessions may be revoked under way; a role that lacks a permission is refused too, and must not ask STS all the time. */
const REFETCH_AFTER_REFUSAL_MS = 300_000;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

export function createRefreshedCredentials(options: RefreshedCredentialsOptions): CredentialsSource {
  const { clock, random } = options;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  let held: Held | undefined;
  let flight: Flight | undefined;
  let failures = 0;
  let nextTryMs = 0;
  let lastError: unknown;

  async function fetchOnce(): Promise<AwsCredentials> {
    try {
      const { credentials, expiresAtMs } = await within(timeoutMs, (signal) => options.fetch(signal));
      const nowMs = clock.now();
      const lifetimeMs = expiresAtMs - nowMs;
      if (lifetimeMs <= EXPIRY_MARGIN_MS)
        throw new GatewayError('target_unavailable', 'STS gave credentials that have all but expired.');
      held = {
        credentials: Promise.resolve(credentials),
        fetchedAtMs: nowMs,
        refreshAtMs: nowMs + lifetimeMs * (REFRESH_AFTER_RATIO + REFRESH_SPREAD_RATIO * random()),
        usableUntilMs: expiresAtMs - EXPIRY_MARGIN_MS,
      };
      failures = 0;
      nextTryMs = 0;
      return credentials;
    } catch (error) {
      lastError = error;
      const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures, 16));
      failures += 1;
      nextTryMs = clock.now() + backoffMs * (0.5 + random() / 2);
      options.onFailure?.(error);
      throw error;
    }
  }

  /** A flight belongs to the request that began it; should workerd end that request, it may never settle. */
  function underWay(nowMs: number): Flight | undefined {
    return flight !== undefined && Math.abs(nowMs - flight.startedAtMs) < 2 * timeoutMs ? flight : undefined;
  }

  function start(nowMs: number): Flight {
    const started: Flight = {
      startedAtMs: nowMs,
      done: fetchOnce().finally(() => {
        if (flight === started) flight = undefined;
      }),
    };
    flight = started;
    options.keepAlive(
      started.done.then(
        () => undefined,
        () => undefined,
      ),
    );
    return started;
  }

  return {
    get(signal) {
      const nowMs = clock.now();
      if (held !== undefined && nowMs < held.usableUntilMs) {
        if (nowMs >= held.refreshAtMs && nowMs >= nextTryMs && underWay(nowMs) === undefined) start(nowMs);
        return held.credentials;
      }
      const waitedFor = underWay(nowMs);
      if (waitedFor === undefined && nowMs < nextTryMs) return Promise.reject(asError(lastError));
      return untilAborted((waitedFor ?? start(nowMs)).done, signal);
    },
    refused() {
      const nowMs = clock.now();
      if (held !== undefined && nowMs - held.fetchedAtMs >= REFETCH_AFTER_REFUSAL_MS)
        held = { ...held, refreshAtMs: nowMs };
    },
  };
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error('no credentials could be had', { cause: value });
}

/** Bounded even where the work does not heed its signal. */
async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      controller.abort();
      reject(new GatewayError('target_unavailable', `STS did not answer within ${ms} ms.`));
    }, ms);
  });
  try {
    return await Promise.race([late, work(controller.signal)]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

/** The work goes on for the others. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let leave: () => void = () => undefined;
  const left = new Promise<never>((_resolve, reject) => {
    leave = () => reject(new Error('the caller left'));
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave);
  });
  try {
    return await Promise.race([left, work]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
