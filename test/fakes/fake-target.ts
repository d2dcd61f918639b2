/** A place that does what a test says, bounded by its time and its caller as every real one is. */
import type { ModelInput } from '../../shared/schema/model-input.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import type { Target, TargetCall, TargetResult } from '../../worker/ports.ts';
import { runAttempt } from '../../worker/targets/attempt.ts';
import { predictImage, predictText } from './sample-call.ts';

export type Script = (call: TargetCall, signal: AbortSignal) => TargetResult | Promise<TargetResult>;

export type FakeTarget = Target & {
  readonly calls: readonly TargetCall[];
  /** From the next call on. */
  play(script: Script): void;
};

export function createFakeTarget(spec: TargetSpec, script: Script = answerHonestly): FakeTarget {
  const calls: TargetCall[] = [];
  let playing = script;
  return {
    spec,
    unreachable: undefined,
    calls,
    play(next) {
      playing = next;
    },
    infer(call, signal) {
      calls.push(call);
      return runAttempt(call.timeoutMs, signal, async (inner) => playing(call, inner));
    },
    check: () => Promise.resolve({ ok: true, detail: 'scripted' }),
  };
}

export function answerHonestly(call: TargetCall): TargetResult {
  return { kind: 'answered', predictions: predictionsOf(call.input), computeMs: 1 };
}

export function neverAnswer(): Promise<TargetResult> {
  return new Promise(() => undefined);
}

export function breakDown(): never {
  throw new Error('scripted break with a secret in it');
}

function predictionsOf(input: ModelInput): Prediction[] {
  switch (input.kind) {
    case 'text':
      return input.texts.map(predictText);
    case 'image':
      return input.images.map(predictImage);
    case 'numbers':
      return input.rows.map(predictImage);
    case 'tensors':
      return [{ kind: 'tensors', outputs: input.tensors, confidence: 1, truncated: false }];
    case 'chat': {
      const text = input.messages.at(-1)?.content ?? '';
      const tokens = { prompt: 1, completion: 1 };
      return [{ kind: 'text', text, finishReason: 'stop', tokens, confidence: 1, truncated: false }];
    }
  }
}
