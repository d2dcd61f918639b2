/**
 * An answer as the caches keep it: how long it is good for, what it weighs in memory, and the text that other isolates read.
 * Owns that form only; which answers are kept, and when they are asked for, is keep-answer.ts and lookup.ts.
 */
import type { AnsweredItem, TargetUsed } from '../../shared/schema/infer-result.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import { decodeBase64, encodeBase64 } from '../base64.ts';

/** What is kept of an answer. Only whole, accepted answers are kept. */
export type CachedAnswer = {
  readonly items: readonly AnsweredItem[];
  readonly variant: string;
  readonly targetUsed: TargetUsed;
  readonly cloudOnlyCostNanos: number;
};

export type StoredAnswer = {
  readonly answer: CachedAnswer;
  readonly putAtMs: number;
  readonly freshUntilMs: number;
  readonly staleUntilMs: number;
};

/** Labels, places and objects around them. */
const BYTES_PER_ITEM = 400;
const BYTES_PER_NUMBER = 8;
const BYTES_PER_CHAR = 2;

/** Rough bytes in memory: what matters is that large answers count more. */
export function sizeOf(key: string, { answer }: StoredAnswer): number {
  return answer.items.reduce(
    (sum, { prediction }) => sum + BYTES_PER_ITEM + payloadBytes(prediction),
    BYTES_PER_CHAR * key.length + BYTES_PER_ITEM,
  );
}

function payloadBytes(prediction: Prediction): number {
  switch (prediction.kind) {
    case 'class':
      return 0;
    case 'embedding':
      return BYTES_PER_NUMBER * prediction.embedding.length;
    case 'text':
      return BYTES_PER_CHAR * prediction.text.length;
    case 'tensors':
      return prediction.outputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  }
}

/** JSON has no bytes: those of tensors go as base64, everything else as it is. */
export function textOf(stored: StoredAnswer): string {
  const items = stored.answer.items.map((item) =>
    item.prediction.kind === 'tensors'
      ? {
          ...item,
          prediction: {
            ...item.prediction,
            outputs: item.prediction.outputs.map((tensor) => ({ ...tensor, bytes: encodeBase64(tensor.bytes) })),
          },
        }
      : item,
  );
  return JSON.stringify({ ...stored, answer: { ...stored.answer, items } });
}

/** Undefined where the text is cut or foreign: then it is a miss. */
export function storedFrom(text: string): StoredAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isStoredAnswer(value)) return undefined;
    return { ...value, answer: { ...value.answer, items: value.answer.items.map(withBytes) } };
  } catch {
    return undefined;
  }
}

/** Written by this code under a key only it can form, so the outline is enough. */
function isStoredAnswer(value: unknown): value is StoredAnswer {
  if (typeof value !== 'object' || value === null || !('putAtMs' in value) || !('answer' in value)) return false;
  const { answer } = value;
  return typeof answer === 'object' && answer !== null && 'items' in answer && Array.isArray(answer.items);
}

/** @throws where the text is no base64 */
function withBytes(item: AnsweredItem): AnsweredItem {
  const { prediction } = item;
  if (prediction.kind !== 'tensors') return item;
  const outputs = prediction.outputs.map((tensor) => ({ ...tensor, bytes: bytesFrom(tensor.bytes) }));
  return { ...item, prediction: { ...prediction, outputs } };
}

function bytesFrom(base64: unknown): Uint8Array {
  if (typeof base64 !== 'string') throw new TypeError('tensors are kept as base64');
  return decodeBase64(base64);
}
