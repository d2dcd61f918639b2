/**
 * What devices ask. Owns that one question is answered once, however often a device that dials again repeats it, and how
 * many may be open; leaves out where answers come from.
 */
import type { DeviceTensor } from '../../shared/device/tensor.ts';

export type Question = {
  readonly deviceId: string;
  readonly pool: string;
  readonly tenant: string;
  /** The device's own number for it. */
  readonly request: number;
  /** 0: none was given. */
  readonly deadlineMs: number;
  readonly tensor: DeviceTensor;
};

export type QuestionAnswer = { readonly label: number; readonly confidence: number };

/** Undefined where there is no answer; never rejects. */
export type Answering = (question: Question) => Promise<QuestionAnswer | undefined>;

const WINDOW = 4;

type Recent = Map<number, Promise<QuestionAnswer | undefined>>;

export class Questions {
  /** Questions a device may have open at once. */
  readonly window = WINDOW;
  readonly #answer: Answering;
  /** The last few of each device, answered or under way. */
  readonly #recent = new Map<string, Recent>();

  constructor(answer: Answering) {
    this.#answer = answer;
  }

  /** A device that began anew also counts anew: its numbers mean other questions now. */
  forget(deviceId: string): void {
    this.#recent.delete(deviceId);
  }

  ask(question: Question): Promise<QuestionAnswer | undefined> {
    const recent: Recent = this.#recent.get(question.deviceId) ?? new Map();
    this.#recent.set(question.deviceId, recent);
    const known = recent.get(question.request);
    if (known !== undefined) return known;
    const asked = this.#answer(question);
    recent.set(question.request, asked);
    void forgetFailure(recent, question.request, asked);
    for (const request of recent.keys()) {
      if (recent.size <= 2 * WINDOW) break;
      recent.delete(request);
    }
    return asked;
  }
}

/** What found no answer is not kept: whoever repeats it has not heard so, and may be answered now. */
async function forgetFailure(
  recent: Recent,
  request: number,
  asked: Promise<QuestionAnswer | undefined>,
): Promise<void> {
  if ((await asked) === undefined && recent.get(request) === asked) recent.delete(request);
}
