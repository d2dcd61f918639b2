/**
 * What every protocol hands to the pipeline, and what it gets back. Owns types only.
 */
import type { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import type { WireInferRequest } from '../../shared/schema/infer-request.ts';
import type { Decision, InferResult } from '../../shared/schema/infer-result.ts';
import type { Limits, ModelSpec } from '../../shared/schema/config.ts';
import type { ModelInput } from '../../shared/schema/model-input.ts';
import type { Trace } from '../../shared/trace/trace.ts';
import type { Caller } from './identify.ts';

/** `input_data` in a protocol's own form -> inputs checked against the model's specification. */
export type ParseInput = (
  value: unknown,
  spec: ModelInputSpec,
  maxBatch: number,
  model: ModelSpec,
) => ModelInput | Promise<ModelInput>;

/** Hears a text piece by piece, with the place that speaks: the same one for all of a text. */
export type TextListener = (piece: string, from: { readonly target: string; readonly variant: string }) => void;

export type Incoming = {
  readonly requestId: string;
  readonly protocol: string;
  readonly receivedAtMs: number;
  /** The key as sent, or undefined. */
  readonly apiKey: string | undefined;
  /** Who is asking, where the protocol has found out already: a device, when it dialled in. */
  readonly caller?: Caller;
  readonly trace?: Trace;
  /** Fires when the caller leaves. */
  readonly signal: AbortSignal;
  /** Reads the protocol's body into native terms. Called only for a caller who is known. */
  readonly read: (limits: Limits) => Promise<WireInferRequest>;
  /** Where the protocol writes inputs otherwise than the native one. */
  readonly parseInput?: ParseInput;
  /**
   * Asked once the request is read: who hears a generated text as it comes, if anybody. What was heard stands, whatever happens
   * afterwards.
   */
  readonly textListener?: () => TextListener | undefined;
  /** Work that may go on after the answer. */
  readonly keepAlive: (work: Promise<unknown>) => void;
};

export type Outcome =
  | { readonly kind: 'answered'; readonly result: InferResult }
  | { readonly kind: 'failed'; readonly error: GatewayError; readonly decision: Decision | null };
