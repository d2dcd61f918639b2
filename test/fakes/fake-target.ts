/** A place that does what a test says, bounded by its time and its caller as every real one is. */
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
  const predictions =
    call.input.kind === 'text'
      ? call.input.texts.map(predictText)
      : call.input.images.map((pixels) => predictImage(pixels));
  return { kind: 'answered', predictions, computeMs: 1 };
}

export function neverAnswer(): Promise<TargetResult> {
  return new Promise(() => undefined);
}

export function breakDown(): never {
  throw new Error('scripted break with a secret in it');
}
