/**
 * A quantized model in this isolate. Owns loading it once, classifying a batch item by item and turning every way the
 * engine can fail into a value; leaves out the engine itself and what its CPU costs (in workerd the clock stands still
 * while code runs, so nothing here can time it).
 */
import type { Prediction } from '../../shared/schema/prediction.ts';
import { TOP_COUNT } from '../../shared/schema/prediction.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { EngineInputError } from '../engine/errors.ts';
import type { ModelInput } from '../engine/model.ts';
import { top } from '../engine/top.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import { runAttempt } from './attempt.ts';
import { failed } from './failure.ts';
import { createModelHolder } from './model-holder.ts';
import type { EdgeModel, EdgeModelLoader, ModelHolder } from './model-holder.ts';

export type { EdgeModel, EdgeModelLoader } from './model-holder.ts';

export type EdgeTargetOptions = {
  readonly spec: TargetSpec;
  readonly clock: Clock;
  /** Keyed by `model/variant`. */
  readonly loaders: Readonly<Record<string, EdgeModelLoader>>;
  /** How long a model that failed to load is left alone. */
  readonly reloadPauseMs?: number;
};

/** Items between two looks at the event loop: without one a caller that left would not be noticed. */
const ITEMS_PER_TURN = 16;
const RELOAD_PAUSE_MS = 30_000;

/** By loader: a new configuration makes new targets, and must not load the same weights again. */
const heldModels = new WeakMap<EdgeModelLoader, ModelHolder>();

function holderOf(load: EdgeModelLoader, clock: Clock, reloadPauseMs: number): ModelHolder {
  const known = heldModels.get(load);
  if (known !== undefined) return known;
  const made = createModelHolder(load, clock, reloadPauseMs);
  heldModels.set(load, made);
  return made;
}

export function createEdgeTarget(options: EdgeTargetOptions): Target {
  const { spec, clock } = options;
  const holders = new Map<string, ModelHolder>(
    Object.entries(options.loaders).map(([key, load]) => [
      key,
      holderOf(load, clock, options.reloadPauseMs ?? RELOAD_PAUSE_MS),
    ]),
  );

  async function attempt(
    call: TargetCall,
    timeoutMs: number,
    holder: ModelHolder,
    signal: AbortSignal,
  ): Promise<TargetResult> {
    const held = await holder.get();
    if (held.kind === 'broken') {
      return failed('model_broken', 'the model cannot be loaded', { retryAfterMs: held.retryAfterMs });
    }
    return classifyAll(held.model, call, timeoutMs, signal);
  }

  async function classifyAll(
    model: EdgeModel,
    call: TargetCall,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<TargetResult> {
    const inputs = toEdgeInputs(call);
    if (inputs === undefined) return failed('rejected', `the engine takes no ${call.input.kind}`);
    const endAtMs = clock.now() + timeoutMs;
    const predictions: Prediction[] = [];
    for (const input of inputs) {
      if (predictions.length > 0 && predictions.length % ITEMS_PER_TURN === 0) await nextTurn();
      if (signal.aborted) return failed('cancelled', 'the attempt ended before every item was classified');
      if (clock.now() > endAtMs)
        return failed('timeout', `${predictions.length} of ${inputs.length} items were classified in time`);
      try {
        const { label, confidence, probabilities, truncated } = model.classify(input);
        predictions.push({
          kind: 'class',
          label,
          confidence,
          top: top(probabilities, call.model.labels, TOP_COUNT),
          truncated,
        });
      } catch (error) {
        return error instanceof EngineInputError
          ? failed('rejected', 'the model cannot take this input')
          : failed('model_broken', 'the model failed while it ran');
      }
    }
    return { kind: 'answered', predictions, computeMs: null };
  }

  return {
    spec,
    unreachable: undefined,
    async infer(call, signal) {
      const holder = holders.get(`${call.model.name}/${call.variant}`);
      if (holder === undefined) return failed('rejected', 'this deployment carries no weights for the variant');
      const timeoutMs = Math.min(call.timeoutMs, spec.timeout_ms);
      const model = holder.loaded();
      // Work that never lets go of the isolate cannot be interrupted, so a timer and a listener would only cost.
      if (model !== undefined && inputCount(call.input) <= ITEMS_PER_TURN && timeoutMs > 0) {
        return classifyAll(model, call, timeoutMs, signal);
      }
      return runAttempt(timeoutMs, signal, (inner) => attempt(call, timeoutMs, holder, inner));
    },
    async check() {
      const served = spec.serves.map(({ model, variant }) => {
        const key = `${model}/${variant}`;
        return { key, state: holders.get(key)?.state() ?? 'missing' };
      });
      return {
        ok: served.every(({ state }) => state !== 'broken' && state !== 'missing'),
        detail: served.map(({ key, state }) => `${key} ${state}`).join(', '),
      };
    },
  };
}

function toEdgeInputs({ input }: TargetCall): readonly ModelInput[] | undefined {
  switch (input.kind) {
    case 'text':
      return input.texts.map((text) => ({ kind: 'text', text }));
    case 'image':
      return input.images.map((pixels) => ({ kind: 'image', pixels }));
    case 'numbers':
    case 'tensors':
    case 'chat':
      return undefined;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
