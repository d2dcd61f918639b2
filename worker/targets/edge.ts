/**
 * Quantized models in this isolate. Owns answering a batch item by item and turning every way the engine or its weights
 * can fail into a value; leaves out the engine itself, loading (model-shelf.ts) and what its CPU costs (in workerd the
 * clock stands still while code runs, so nothing here can time it).
 */
import type { ColdModel } from '../../shared/decide/facts.ts';
import type { ModelSpec, TargetSpec } from '../../shared/schema/config.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import type { WeightsFile } from '../../shared/schema/weights.ts';
import { EngineInputError } from '../engine/errors.ts';
import type { EngineModel } from '../engine/model.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import { runAttempt } from './attempt.ts';
import { predict, toEngineInputs } from './engine-answer.ts';
import { failed } from './failure.ts';
import type { ModelShelf } from './model-shelf.ts';

export type EdgeTargetOptions = {
  readonly spec: TargetSpec;
  /** Of the same configuration. */
  readonly models: readonly ModelSpec[];
  readonly clock: Clock;
  readonly shelf: ModelShelf;
};

type Served = TargetSpec['serves'][number];

/** One variant this place serves, found once per configuration. */
type Place = {
  readonly key: string;
  readonly served: Served;
  readonly file: WeightsFile;
  /** Items between two looks at the event loop: without one a caller that left would not be noticed. */
  readonly itemsPerTurn: number;
  /** The file says the same labels as the registry. Of one file that stays true. */
  labelsAgree: boolean | undefined;
};

const TURN_MS = 5;
const MAX_ITEMS_PER_TURN = 16;

const NOWHERE: readonly Place[] = [];

export function createEdgeTarget({ spec, models, clock, shelf }: EdgeTargetOptions): Target {
  const places = new Map<string, Place[]>();
  for (const served of spec.serves) {
    const place = placeOf(served, models);
    if (place !== undefined) places.set(served.model, [...(places.get(served.model) ?? []), place]);
  }

  function find(model: string, variant: string): Place | undefined {
    return places.get(model)?.find(({ served }) => served.variant === variant);
  }

  async function attempt(
    call: TargetCall,
    timeoutMs: number,
    place: Place,
    signal: AbortSignal,
  ): Promise<TargetResult> {
    const held = await shelf.get(place.file);
    if (held.kind === 'broken') {
      return failed('model_broken', `the model cannot be loaded: ${held.code}`, { retryAfterMs: held.retryAfterMs });
    }
    return answerAll(held.model, call, timeoutMs, place, signal);
  }

  async function answerAll(
    model: EngineModel,
    call: TargetCall,
    timeoutMs: number,
    place: Place,
    signal: AbortSignal,
  ): Promise<TargetResult> {
    place.labelsAgree ??= sameLabels(model.info.labels, call.model.labels);
    if (!place.labelsAgree) return failed('model_broken', 'the file has other labels than the registry');
    const inputs = toEngineInputs(call.input);
    if (inputs === undefined) return failed('rejected', `the engine takes no ${call.input.kind}`);
    const endAtMs = clock.now() + timeoutMs;
    const predictions: Prediction[] = [];
    for (const input of inputs) {
      if (predictions.length > 0 && predictions.length % place.itemsPerTurn === 0) await nextTurn();
      if (signal.aborted) return failed('cancelled', 'the attempt ended before every item was answered');
      if (clock.now() > endAtMs)
        return failed('timeout', `${predictions.length} of ${inputs.length} items were answered in time`);
      try {
        predictions.push(predict(model, input, call.model));
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
      const place = find(call.model.name, call.variant);
      if (place === undefined) return failed('rejected', 'this place does not serve the variant');
      const timeoutMs = Math.min(call.timeoutMs, spec.timeout_ms);
      const model = shelf.take(place.file);
      // Work that never lets go of the isolate cannot be interrupted, so a timer and a listener would only cost.
      if (model !== undefined && inputCount(call.input) <= place.itemsPerTurn && timeoutMs > 0) {
        return answerAll(model, call, timeoutMs, place, signal);
      }
      return runAttempt(timeoutMs, signal, (inner) => attempt(call, timeoutMs, place, inner));
    },
    cold(model) {
      let cold: Record<string, ColdModel> | undefined;
      for (const { key, file, served } of places.get(model) ?? NOWHERE) {
        const state = shelf.cold(file, served.load_prior_ms);
        if (state === undefined) continue;
        cold ??= {};
        cold[key] = state;
      }
      return cold;
    },
    warm(model, variant) {
      const place = find(model, variant);
      if (place !== undefined) void shelf.get(place.file);
    },
    async check() {
      const states = [...places.values()].flat().map(({ key, file }) => ({ key, state: shelf.state(file) }));
      return {
        ok: states.every(({ state }) => state !== 'broken'),
        detail: states.map(({ key, state }) => `${key} ${state}`).join(', '),
      };
    },
  };
}

function placeOf(served: Served, models: readonly ModelSpec[]): Place | undefined {
  const variant = models
    .find(({ name }) => name === served.model)
    ?.variants.find(({ name }) => name === served.variant);
  if (variant === undefined) return undefined;
  const key = `${served.model}/${served.variant}`;
  return {
    key,
    served,
    file: {
      weights: variant.weights ?? { kind: 'bundled', path: key },
      size_bytes: variant.size_bytes,
      sha256: variant.sha256,
    },
    itemsPerTurn: Math.max(1, Math.min(MAX_ITEMS_PER_TURN, Math.floor(TURN_MS / served.compute_prior_ms))),
    labelsAgree: undefined,
  };
}

function sameLabels(ofFile: readonly string[], ofRegistry: readonly string[]): boolean {
  return ofFile.length === ofRegistry.length && ofFile.every((label, index) => label === ofRegistry[index]);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
