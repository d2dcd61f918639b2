/**
 * Answers calls from ONNX sessions: files read once however many wait, one session worked on at a time, sessions kept within
 * a budget. Owns that order; leaves out the runtime (runtime.ts), the files (store/weights.ts) and tensors (feeds.ts).
 */
import type { OnnxAnswer, OnnxCall } from '../../shared/schema/onnx-call.ts';
import type { WeightsFile } from '../../shared/schema/weights.ts';
import { createWordPiece, parseVocabulary, type WordPiece } from '../../shared/tokenize/wordpiece.ts';
import type { Clock } from '../ports.ts';
import { createLoadPauses, type LoadFailure } from '../store/load-pauses.ts';
import type { ReadWeights } from '../store/weights.ts';
import { run } from './run.ts';
import type { Session } from './run.ts';
import { InputError, MisfitError } from './tensors.ts';

export type Answerer = (call: OnnxCall) => Promise<OnnxAnswer>;

export type AnswererOptions = {
  readonly read: ReadWeights;
  readonly open: (bytes: ArrayBuffer) => Promise<Session>;
  readonly clock: Clock;
  readonly onFailure: (failure: LoadFailure) => void;
  /** Hears of each model that was opened. */
  readonly onOpened?: (path: string) => void;
  readonly budgetBytes?: number;
};

type Model = { readonly session: Session; readonly tokenizer: WordPiece | undefined; readonly sizeBytes: number };
type Files = { readonly weights: ArrayBuffer; readonly vocabulary: ArrayBuffer | undefined };

/**
 * Of model files at a time. The runtime's memory is 17 MB without a model and grows by some two and a half times a file (53 MB
 * with one of 16 MB, measured), beside the file itself while it is opened; an isolate has 128.
 */
const BUDGET_BYTES = 20 * 1024 * 1024;
/** Where the runtime ended a call's context after all, its turn never ends. */
const ABANDONED_AFTER_MS = 10_000;

class TooLarge extends Error {
  readonly code = 'model_too_large';
}

export function createAnswerer(options: AnswererOptions): Answerer {
  const { clock, budgetBytes = BUDGET_BYTES } = options;
  const pauses = createLoadPauses(clock, options.onFailure);
  const reading = new Map<string, { readonly startedAtMs: number; readonly files: Promise<Files> }>();
  // In the order of last use.
  const models = new Map<string, Model>();
  let turn: { readonly startedAtMs: number; readonly over: Promise<void> } | undefined;

  async function readFiles({ file, onnx }: OnnxCall): Promise<Files> {
    const needed = file.size_bytes + (onnx.tokenizer?.vocabulary.size_bytes ?? 0);
    if (needed > budgetBytes) throw new TooLarge(`${needed} bytes, of ${budgetBytes} for all models`);
    const [weights, vocabulary] = await Promise.all([
      options.read(file),
      onnx.tokenizer === undefined ? undefined : options.read(onnx.tokenizer.vocabulary),
    ]);
    return { weights, vocabulary };
  }

  function filesOnce(call: OnnxCall): Promise<Files> {
    const key = keyOf(call);
    const nowMs = clock.now();
    const begun = reading.get(key);
    if (begun !== undefined && nowMs - begun.startedAtMs < ABANDONED_AFTER_MS) return begun.files;
    const files = readFiles(call).finally(() => reading.delete(key));
    reading.set(key, { startedAtMs: nowMs, files });
    return files;
  }

  /** Sessions share one memory and none may be released while another call is inside it. */
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    for (let before = turn; before !== undefined; before = turn) {
      if (clock.now() - before.startedAtMs >= ABANDONED_AFTER_MS) break;
      await before.over;
    }
    let end = (): void => undefined;
    const mine = { startedAtMs: clock.now(), over: new Promise<void>((resolve) => (end = resolve)) };
    turn = mine;
    try {
      return await work();
    } finally {
      if (turn === mine) turn = undefined;
      end();
    }
  }

  async function open({ file, onnx }: OnnxCall, files: Files): Promise<Model> {
    await makeRoom(file);
    const tokenizer = tokenizerOf(onnx, files.vocabulary);
    const session = await options.open(files.weights);
    options.onOpened?.(file.weights.path);
    return { session, tokenizer, sizeBytes: file.size_bytes };
  }

  async function makeRoom(file: WeightsFile): Promise<void> {
    let used = file.size_bytes;
    for (const { sizeBytes } of models.values()) used += sizeBytes;
    for (const [key, { session, sizeBytes }] of models) {
      if (used <= budgetBytes) return;
      models.delete(key);
      used -= sizeBytes;
      await session.release();
    }
  }

  async function answer(call: OnnxCall, endAtMs: number): Promise<OnnxAnswer> {
    const key = keyOf(call);
    const pause = pauses.of(key);
    if (pause !== undefined) return broken(pause.code, pause.retryAfterMs);
    try {
      const files = models.has(key) ? undefined : await filesOnce(call);
      return await inTurn(async () => {
        if (clock.now() > endAtMs) return late;
        const model = models.get(key) ?? (await open(call, files ?? (await filesOnce(call))));
        models.delete(key);
        models.set(key, model);
        pauses.loaded(key);
        return runModel(model, call);
      });
    } catch (error) {
      const { code, retryAfterMs } = pauses.failed(key, call.file.weights.path, error);
      return broken(code, retryAfterMs);
    }
  }

  return (call) => answer(call, clock.now() + call.timeoutMs);
}

const late: OnnxAnswer = { kind: 'failed', reason: 'timeout', detail: 'others were answered until its time was over' };

function broken(code: string, retryAfterMs: number): OnnxAnswer {
  return { kind: 'failed', reason: 'model_broken', detail: `the model cannot be loaded: ${code}`, retryAfterMs };
}

/** What the runtime says of a failed run may quote the input, so it is not passed on. */
async function runModel(model: Model, { input, onnx }: OnnxCall): Promise<OnnxAnswer> {
  try {
    return await run(model.session, model.tokenizer, input, onnx);
  } catch (error) {
    if (error instanceof InputError) return { kind: 'failed', reason: 'rejected', detail: error.message };
    const detail = error instanceof MisfitError ? error.message : 'the model failed while it ran';
    return { kind: 'failed', reason: 'model_broken', detail };
  }
}

function keyOf({ file, onnx }: OnnxCall): string {
  const { tokenizer } = onnx;
  if (tokenizer === undefined) return file.sha256;
  return `${file.sha256}/${tokenizer.vocabulary.sha256}/${tokenizer.lowercase}/${tokenizer.max_tokens}`;
}

function tokenizerOf({ tokenizer }: OnnxCall['onnx'], vocabulary: ArrayBuffer | undefined): WordPiece | undefined {
  if (tokenizer === undefined || vocabulary === undefined) return undefined;
  const pieces = parseVocabulary(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(vocabulary));
  return createWordPiece(pieces, { lowercase: tokenizer.lowercase, maxTokens: tokenizer.max_tokens });
}
