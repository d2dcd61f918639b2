/**
 * Lets one piece of work run at a time, in the order asked. Owns nothing else.
 *
 * A session's run blocks the thread, so concurrent requests take turns input by input; waiting here, and not inside the
 * runtime, lets a request that was given up leave before it costs anything and keeps its compute time its own.
 */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
