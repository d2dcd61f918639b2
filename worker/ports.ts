/**
 * What the pipeline needs of the outside world. Owns interfaces only: adapters live in targets/ and store/,
 * and services.ts alone constructs them.
 */
import type { ColdModel } from '../shared/decide/facts.ts';
import type { Batch, BatchChunk } from '../shared/batch/batch-items.ts';
import type { FailureReason } from '../shared/decide/plan-types.ts';
import type { AuditState } from '../shared/guard/audit.ts';
import type { BandCounts } from '../shared/guard/audit-counts.ts';
import type { CalibrationRecord } from '../shared/guard/guarantee-schema.ts';
import type { ShortcutStanding } from '../shared/guard/shortcuts.ts';
import type { Config, ModelSpec, RouteSpec, TargetSpec } from '../shared/schema/config.ts';
import type { ModelInput } from '../shared/schema/model-input.ts';
import type { Prediction } from '../shared/schema/prediction.ts';
import type { AuditRecord, RequestRecord } from '../shared/schema/record.ts';
import type { MetricsSnapshot } from '../shared/measure/metrics.ts';
import type { Rollup, WindowItem } from '../shared/measure/metrics-items.ts';
import type { RollupSegment } from '../shared/measure/rollup-steps.ts';

export type Clock = {
  /** Milliseconds since the epoch. In workerd it advances only with I/O. */
  now(): number;
};

export type Random = () => number;

export type TargetCall = {
  readonly requestId: string;
  /** W3C trace context of this attempt, for places reached over HTTP. */
  readonly traceparent?: string;
  readonly model: ModelSpec;
  readonly variant: string;
  readonly input: ModelInput;
  /** What the attempt may spend; the adapter enforces it and also stops when `signal` fires. */
  readonly timeoutMs: number;
  /** Hears a generated text piece by piece as it comes; the whole of it is in the result all the same. */
  readonly onText?: (piece: string) => void;
};

export type TargetResult =
  | {
      readonly kind: 'answered';
      /** One per input, in order. */
      readonly predictions: readonly Prediction[];
      /** As the place measured itself; null where it does not say. */
      readonly computeMs: number | null;
    }
  | {
      readonly kind: 'failed';
      readonly reason: FailureReason;
      /** Public: holds neither input nor secrets. */
      readonly detail: string;
      /** What the place may have billed all the same. */
      readonly computeMs: number | null;
      readonly retryAfterMs?: number;
    };

/** A place that executes. Never throws and never outlives `timeoutMs`: every failure is a value. */
export type Target = {
  readonly spec: TargetSpec;
  /** Why it cannot be used at all in this deployment (no credentials), or undefined. */
  readonly unreachable: string | undefined;
  infer(call: TargetCall, signal: AbortSignal): Promise<TargetResult>;
  /** What of this model is not in memory now, by `model/variant`; undefined where all is. Only places that load models. */
  cold?(model: string): Readonly<Record<string, ColdModel>> | undefined;
  /** Begins to load a variant; nobody waits. */
  warm?(model: string, variant: string): void;
  /** Cheap reachability for /readyz; never a paid inference. */
  check(signal: AbortSignal): Promise<{ readonly ok: boolean; readonly detail: string }>;
};

/** What the worker asks of its static assets. */
export type AssetsBinding = { fetch(url: string): Promise<Response> };

/** What the worker asks of an R2 bucket. */
export type BucketBinding = {
  get(key: string): Promise<{ readonly size: number; arrayBuffer(): Promise<ArrayBuffer> } | null>;
};

export type ConfigInForce = {
  readonly config: Config;
  /** `embedded`, or the version number as text. */
  readonly version: string;
  readonly source: 'embedded' | 'dynamodb';
  readonly inForceSinceMs: number;
};

export type ConfigStatus = ConfigInForce & {
  readonly lastCheckedMs: number | null;
  /** Why the last refresh did not succeed, or null. */
  readonly lastError: string | null;
};

/** Where configuration versions come from. `load` throws where the store is away or what it holds is not valid. */
export type ConfigStore = {
  /** The current version, or undefined where `knownVersion` is still current. */
  load(knownVersion: string | undefined, signal: AbortSignal): Promise<{ config: Config; version: string } | undefined>;
};

/** Keeps work alive after the answer is sent: `waitUntil` in a worker. */
export type KeepAlive = (work: Promise<void>) => void;

/** Holds the configuration in force; refreshes it in the background and keeps the last good one. Nothing here rejects. */
export type ConfigKeeper = {
  /** At once, from memory; begins a refresh where one is due. */
  current(keepAlive: KeepAlive): ConfigInForce;
  /** As `current`, but an isolate that never looked waits a bounded while for its first look. */
  ready(keepAlive: KeepAlive): Promise<ConfigInForce>;
  /** Looks now, or joins the look under way. */
  refresh(): Promise<void>;
  status(): ConfigStatus;
};

/** Answers kept in this isolate, bounded by size. */
export type LocalCache<V> = {
  get(key: string): V | undefined;
  set(key: string, value: V, sizeBytes: number): void;
};

/** Answers kept beyond one isolate. Values are JSON text; nothing but 2xx answers is ever put. */
export type SharedCache = {
  /** @param mostMs a look-up that takes longer is a miss; absent: the cache's own bound */
  get(key: string, mostMs?: number): Promise<string | undefined>;
  put(key: string, value: string, ttlMs: number): Promise<void>;
};

/** Puts one packed metrics window under its key; the same key twice stores once. */
export type MetricsStore = {
  put(window: PackedWindow): Promise<void>;
  /** Windows of the given minutes (since the epoch), all isolates. */
  read(minutes: readonly number[], signal: AbortSignal): Promise<readonly PackedWindow[]>;
  /** In any order. What cannot be read as a rollup is left out. */
  readRollups(wanted: readonly RollupsWanted[], signal: AbortSignal): Promise<readonly Rollup[]>;
};

export type PackedWindow = WindowItem;

/** Rollups of one route (ALL_ROUTES: of the gateway) that start in the range; its end is exclusive. */
type RollupsWanted = RollupSegment & { readonly route: string };

/** Takes finished records; never throws, never delays an answer. */
export type RecordSink = {
  add(record: RequestRecord): void;
  addAudits(audits: AuditRecord): void;
  /**
   * What this isolate has counted and not yet put.
   * @param stored sort keys of windows known to be in the store: a put whose answer was lost is in both
   */
  pending(stored: ReadonlySet<string>): MetricsSnapshot;
  /** Puts what is pending if the window is over, or at once when forced. */
  flush(force: boolean): Promise<void>;
  /** Resolves when the open window is over and put; undefined where an earlier request already waits for that. */
  flushWhenOver(): Promise<void> | undefined;
};

/** What the table holds for one route's guarantee; items that cannot be read are left out. */
export type StoredGuard = {
  readonly records: readonly CalibrationRecord[];
  /** Audit states up to a settled minute, at most one per calibration. */
  readonly snapshots: readonly AuditState[];
};

/** Counts of one isolate, one window, one route; the same key twice stores once. */
export type AuditWindow = {
  readonly route: string;
  readonly minute: number;
  readonly isolateId: string;
  readonly sequence: number;
  /** Per calibration id, audits and disagreements per band. */
  readonly counts: Readonly<Record<string, BandCounts>>;
};

export type GuardStore = {
  read(route: string, signal: AbortSignal): Promise<StoredGuard>;
  readWindows(route: string, fromMinute: number, signal: AbortSignal): Promise<readonly AuditWindow[]>;
  putWindow(window: AuditWindow): Promise<void>;
  putSnapshot(route: string, state: AuditState): Promise<void>;
};

/** How the shortcuts of guaranteed routes stand, as this isolate knows. Nothing here rejects or waits. */
export type Guard = {
  /** One per shortcut; empty where the route states no guarantee. Begins a refresh where one is due. */
  standings(route: RouteSpec, model: ModelSpec, keepAlive: KeepAlive): readonly ShortcutStanding[];
  /** Whether to audit an answer of this shortcut that was just accepted. Draws, so ask once per answer. */
  draws(route: RouteSpec, model: ModelSpec, shortcut: string): boolean;
  /** Counts audits that ended, for the calibration they were drawn under. */
  count(route: RouteSpec, model: ModelSpec, audited: readonly AuditedAnswer[]): void;
  /** Resolves when the open window is over and put; undefined where an earlier audit already waits for that. */
  flushWhenOver(): Promise<void> | undefined;
  flush(): Promise<void>;
};

/** How hard texts are, estimated before any model runs. Never waits. */
export type Difficulty = {
  /** P(large right) - P(small right) of the hardest; undefined while no estimate is at hand. */
  of(texts: readonly string[], keepAlive: KeepAlive): number | undefined;
};

export type AuditedAnswer = {
  readonly shortcut: string;
  readonly calibrationId: string;
  readonly confidence: number;
  readonly agreed: boolean;
};

/** The microcontrollers of all pools. */
export type Devices = {
  /** Checks the device's key and hands the connection to its hub. Throws a GatewayError where it may not. */
  connect(request: Request, deviceId: string, requestId: string, config: Config): Promise<Response>;
  /** Everything that is known of every device of the configuration, connected or not. */
  list(config: Config): Promise<readonly Record<string, unknown>[]>;
};

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
type LogFields = Readonly<Record<string, unknown>>;
export type Logger = {
  log(level: LogLevel, message: string, requestId: string, fields?: LogFields): void;
};

export type StoredBatch = { readonly batch: Batch; readonly chunks: readonly BatchChunk[] };

/** Where batches are kept and queued. Every call rejects with a GatewayError where its store is away. */
export type Batches = {
  readonly tokens: {
    issue(batchId: string, tenant: string, expiresAtMs: number): Promise<string>;
  };
  begin(batch: Batch): Promise<void>;
  putChunk(
    batch: Batch,
    chunk: {
      readonly index: number;
      readonly offset: number;
      readonly lines: number;
      readonly bytes: Uint8Array<ArrayBuffer>;
    },
  ): Promise<void>;
  /** All lines are kept: from now on it may run. */
  submit(batch: Batch): Promise<void>;
  read(id: string): Promise<StoredBatch | undefined>;
  /** Nothing where it is not queued any more. */
  cancel(batch: Batch): Promise<void>;
  openResult(batchId: string, index: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
};
