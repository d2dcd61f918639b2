/**
 * A place that scales to zero wakes on the request it rejects. So one request of an isolate goes on asking in the
 * background until it answers, and later requests find it up; nobody waits for it, and its breaker knows nothing of it.
 */
import type { BreakerPolicy } from '../../shared/schema/config.ts';
import { selectInputs } from '../../shared/schema/model-input.ts';
import type { KeepAlive, Target, TargetCall } from '../ports.ts';
import type { Services } from './services.ts';

/** A worker may work on for 30 s after its answer. */
const GIVE_UP_MS = 25_000;
/** At first; doubled each time. */
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 8_000;

const waking = new WeakMap<Services, Set<string>>();

/** @param retryAfterMs what the place itself asks for */
export function keepWaking(
  target: Target,
  call: TargetCall,
  retryAfterMs: number | undefined,
  services: Services,
  policy: BreakerPolicy,
  keepAlive: KeepAlive,
): void {
  let busy = waking.get(services);
  if (busy === undefined) {
    busy = new Set();
    waking.set(services, busy);
  }
  const { id } = target.spec;
  if (busy.has(id)) return;
  const begun = busy;
  begun.add(id);
  keepAlive(ask(target, call, Math.max(PAUSE_MS, retryAfterMs ?? 0), services, policy).finally(() => begun.delete(id)));
}

async function ask(
  target: Target,
  call: TargetCall,
  firstPauseMs: number,
  { state, clock }: Services,
  policy: BreakerPolicy,
): Promise<void> {
  const giveUpAtMs = clock.now() + GIVE_UP_MS;
  const { id } = target.spec;
  const one: TargetCall = { ...call, input: selectInputs(call.input, [0]) };
  let pauseMs = Math.min(LONGEST_PAUSE_MS, firstPauseMs);
  for (; clock.now() + pauseMs < giveUpAtMs; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const startedAtMs = clock.now();
    // Somebody else found it up, or its breaker has opened for another reason.
    if (!state.isWaking(id) || state.attemptStarted(target.spec, startedAtMs, policy) !== 'started') return;
    const result = await target.infer({ ...one, timeoutMs: giveUpAtMs - startedAtMs }, new AbortController().signal);
    const nowMs = clock.now();
    if (result.kind === 'answered') {
      const answered = {
        target: target.spec,
        modelAndVariant: `${call.model.name}/${call.variant}`,
        latencyMs: Math.max(0, nowMs - startedAtMs),
        computeMs: result.computeMs,
        cpuMs: 0,
        items: 1,
        accepted: undefined,
      };
      state.attemptAnswered(answered, nowMs, policy);
      return;
    }
    state.attemptFailed(target.spec, result.reason, startedAtMs, nowMs, policy);
    if (!state.isWaking(id)) return;
  }
}
