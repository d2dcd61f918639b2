/**
 * Many inputs asked of the gateway, a few at a time, answers in the order of the inputs. Owns concurrency, giving up on a
 * gateway that is gone, and stopping when told to; leaves out what is asked and what answers mean.
 */
import type { Sent } from '../local/request-inference.ts';
import { UserError } from './user-error.ts';

export type AskOptions = {
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onDone: (done: number) => void;
};

/** One or two lost connections are errors of their rows; so many in a row are the end of the gateway. */
const UNREACHABLE_IN_A_ROW = 8;

/** @throws where the gateway is gone, or when the signal fires */
export async function askAll<T>(
  inputs: readonly T[],
  ask: (input: T) => Promise<Sent>,
  options: AskOptions,
): Promise<readonly Sent[]> {
  const answers: Sent[] = [];
  const waiting = inputs.entries();
  let done = 0;
  let unreachable = 0;
  let gone: UserError | undefined;

  const worker = async (): Promise<void> => {
    for (const [index, input] of waiting) {
      if (gone !== undefined || options.signal.aborted) return;
      const sent = await ask(input);
      answers[index] = sent;
      done += 1;
      unreachable = sent.kind === 'failed' && sent.code === 'unreachable' ? unreachable + 1 : 0;
      if (unreachable >= UNREACHABLE_IN_A_ROW && sent.kind === 'failed') {
        gone ??= new UserError(
          `The gateway stopped answering after ${done - unreachable} of ${inputs.length} rows (${sent.message}).`,
        );
      }
      options.onDone(done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, inputs.length) }, worker));
  if (gone !== undefined) throw gone;
  options.signal.throwIfAborted();
  return answers;
}
