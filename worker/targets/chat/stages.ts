/**
 * The time-outs of a stream, one after another: to the headers, to the first token, between tokens. Headers received do not
 * end the waiting. The total is the attempt's own time-out.
 */
export type StageLimits = {
  readonly connectMs: number;
  readonly firstTokenMs: number;
  readonly idleMs: number;
};

export type Stage = 'connect' | 'first_token' | 'idle';

const LIMIT_OF: Readonly<Record<Stage, keyof StageLimits>> = {
  connect: 'connectMs',
  first_token: 'firstTokenMs',
  idle: 'idleMs',
};

const WORDS: Readonly<Record<Stage, string>> = {
  connect: 'no headers',
  first_token: 'no first token',
  idle: 'no further token',
};

export class Stages {
  readonly #limits: StageLimits;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  #stopTimer = (): void => undefined;
  #expired: Stage | undefined;

  /** @param outer the attempt's own signal */
  constructor(limits: StageLimits, outer: AbortSignal) {
    this.#limits = limits;
    this.#outer = outer;
    if (outer.aborted) this.#controller.abort();
    else outer.addEventListener('abort', this.#abort, { once: true });
  }

  readonly #abort = (): void => this.#controller.abort();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What did not come in time, in words, or undefined. */
  get expired(): string | undefined {
    return this.#expired === undefined
      ? undefined
      : `${WORDS[this.#expired]} within ${this.#limits[LIMIT_OF[this.#expired]]} ms`;
  }

  enter(stage: Stage): void {
    this.#stopTimer();
    const timer = setTimeout(() => {
      this.#expired = stage;
      this.#controller.abort();
    }, this.#limits[LIMIT_OF[stage]]);
    this.#stopTimer = () => clearTimeout(timer);
  }

  end(): void {
    this.#stopTimer();
    this.#outer.removeEventListener('abort', this.#abort);
  }
}
