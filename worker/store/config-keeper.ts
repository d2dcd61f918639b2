/**
 * The configuration in force in this isolate. Owns keeping the last good one, refreshing it in the background at most
 * so often and waiting longer after failures; leaves out where versions come from.
 */
import { GatewayError } from '../../shared/errors.ts';
import { StoredConfigError } from '../../shared/config/stored-config-error.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { Clock, ConfigInForce, ConfigStatus, ConfigStore, Random } from '../ports.ts';

export type ConfigKeeperOptions = {
  /** Undefined: the embedded configuration is all there is. */
  readonly store: ConfigStore | undefined;
  readonly embedded: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly refreshMs: number;
  /** What one load may take. */
  readonly loadTimeoutMs?: number;
  /** What the first request may wait for the first load; 0: it never waits. */
  readonly firstLoadWaitMs?: number;
  /** Told of every failed refresh; the error's private detail is for the log only. */
  readonly onFailure?: (error: unknown) => void;
  /** Runs after every look that succeeded, as part of the refresh. It must not reject. */
  readonly afterLook?: (config: Config, isChanged: boolean) => Promise<void>;
};

/** Keeps work alive after the answer is sent: `waitUntil` in a worker. */
type KeepAlive = (work: Promise<void>) => void;

export type ConfigKeeper = {
  /** At once, from memory; begins a refresh where one is due. */
  current(keepAlive: KeepAlive): ConfigInForce;
  /** As `current`, but an isolate that never looked waits a bounded while for its first look. Never rejects. */
  ready(keepAlive: KeepAlive): Promise<ConfigInForce>;
  /** Looks now, or joins the look under way. Never rejects. */
  refresh(): Promise<void>;
  status(): ConfigStatus;
};

const LOAD_TIMEOUT_MS = 3_000;
const FIRST_LOAD_WAIT_MS = 1_000;
/** A store that is back must be noticed well inside the 30 s in which a publish is promised to be in force. */
const MAX_PAUSE_MS = 15_000;
/** Isolates that start together must not ask together for ever. */
const JITTER_RATIO = 0.2;

export function createConfigKeeper(options: ConfigKeeperOptions): ConfigKeeper {
  const { store, clock, random, refreshMs } = options;
  const loadTimeoutMs = options.loadTimeoutMs ?? LOAD_TIMEOUT_MS;
  const firstLoadWaitMs = options.firstLoadWaitMs ?? FIRST_LOAD_WAIT_MS;
  let inForce: ConfigInForce = {
    config: options.embedded,
    version: 'embedded',
    source: 'embedded',
    inForceSinceMs: clock.now(),
  };
  let lastCheckedMs: number | null = null;
  let lastError: string | null = store === undefined ? 'no DynamoDB table is configured' : null;
  let failures = 0;
  let nextLookMs = 0;
  let look: { readonly startedAtMs: number; readonly done: Promise<void> } | undefined;

  async function load(from: ConfigStore): Promise<void> {
    const known = inForce.source === 'dynamodb' ? inForce.version : undefined;
    let found: 'nothing' | 'same' | 'changed' = 'nothing';
    try {
      const loaded = await loadWithin(from, known, loadTimeoutMs);
      if (loaded !== undefined) inForce = { ...loaded, source: 'dynamodb', inForceSinceMs: clock.now() };
      lastError = null;
      failures = 0;
      found = loaded === undefined ? 'same' : 'changed';
    } catch (error) {
      lastError = publicReason(error);
      failures += 1;
      options.onFailure?.(error);
    }
    lastCheckedMs = clock.now();
    nextLookMs = lastCheckedMs + pauseMs();
    if (found !== 'nothing') await options.afterLook?.(inForce.config, found === 'changed');
  }

  function pauseMs(): number {
    const backedOff = Math.min(MAX_PAUSE_MS, refreshMs * 2 ** Math.min(failures, 16));
    // Never below refreshMs, which is a promise to whoever pays for the reads.
    return Math.max(refreshMs, backedOff) * (1 + JITTER_RATIO * random());
  }

  /** A look belongs to the request that began it; should workerd end that request, the look may never settle. */
  function lookUnderWay(nowMs: number): Promise<void> | undefined {
    return look !== undefined && nowMs - look.startedAtMs < 2 * loadTimeoutMs ? look.done : undefined;
  }

  function refresh(): Promise<void> {
    if (store === undefined) return Promise.resolve();
    const nowMs = clock.now();
    const underWay = lookUnderWay(nowMs);
    if (underWay !== undefined) return underWay;
    const started = {
      startedAtMs: nowMs,
      done: load(store).finally(() => {
        if (look === started) look = undefined;
      }),
    };
    look = started;
    return started.done;
  }

  function current(keepAlive: KeepAlive): ConfigInForce {
    const nowMs = clock.now();
    if (store !== undefined && nowMs >= nextLookMs && lookUnderWay(nowMs) === undefined) keepAlive(refresh());
    return inForce;
  }

  return {
    current,
    async ready(keepAlive) {
      if (store === undefined || lastCheckedMs !== null || firstLoadWaitMs <= 0) return current(keepAlive);
      const first = refresh();
      keepAlive(first);
      await waitAtMost(first, firstLoadWaitMs);
      return inForce;
    },
    refresh,
    status: () => ({ ...inForce, lastCheckedMs, lastError }),
  };
}

/** `/readyz` is public: only sentences written here or in the error table may show. */
function publicReason(error: unknown): string {
  if (error instanceof GatewayError || error instanceof StoredConfigError) return error.message;
  return 'the configuration could not be loaded';
}

/** Bounded even where the store does not heed its signal. */
async function loadWithin(store: ConfigStore, known: string | undefined, ms: number): ReturnType<ConfigStore['load']> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      controller.abort();
      reject(new StoredConfigError(`the configuration store did not answer within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([late, store.load(known, controller.signal)]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

function waitAtMost(work: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void work.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
