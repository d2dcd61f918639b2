/**
 * Which attempt speaks to the caller of a streamed answer: the first that has something to say, and then no other, so that
 * a hedge or a fallback never mixes two answers.
 */
import type { TextListener } from './incoming.ts';

type Place = { readonly target: string; readonly variant: string };

export class Speaker {
  readonly #say: TextListener;
  #index: number | undefined;

  constructor(say: TextListener) {
    this.#say = say;
  }

  /** The attempt that has begun to speak, or undefined. */
  get index(): number | undefined {
    return this.#index;
  }

  /** What one attempt says its pieces to. */
  voiceOf(index: number, { target, variant }: Place): (piece: string) => void {
    return (piece) => {
      this.#index ??= index;
      if (this.#index === index) this.#say(piece, { target, variant });
    };
  }
}
