/**
 * A line of a batch and its result on the wire. Owns which lines may share one request to the gateway. Pure.
 */
import { isRetryable, type ErrorCode } from '../errors.ts';

export type BatchLine = {
  /** From 1, in the whole upload. */
  readonly line: number;
  /** The caller's own name for it, returned with the result. */
  readonly id: string | undefined;
  /** What `POST /v1/infer` is asked, without the input. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly input: unknown;
};

type LineProblem = { readonly line: number; readonly id: string | undefined; readonly message: string };

export type ParsedLine =
  | { readonly kind: 'line'; readonly value: BatchLine }
  | { readonly kind: 'problem'; readonly value: LineProblem };

/** Counts for nothing, wherever lines are counted. */
export function isBlankLine(text: string): boolean {
  return !/[^ \t\r]/.test(text);
}

/** Behind what a person waits for, whatever the line says. */
const BATCH_PRIORITY = 'low';
const MAX_ID_CHARS = 128;

export function parseBatchLine(text: string, line: number, modelName: string | undefined): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'problem', value: { line, id: undefined, message: 'The line is not valid JSON.' } };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { kind: 'problem', value: { line, id: undefined, message: 'The line is not a JSON object.' } };
  }
  const fields: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(value));
  const { id, input_data: input, ...options } = fields;
  if (id !== undefined && (typeof id !== 'string' || id.length > MAX_ID_CHARS)) {
    return {
      kind: 'problem',
      value: { line, id: undefined, message: `id: must be a text of at most ${MAX_ID_CHARS} characters.` },
    };
  }
  const named = options['model_name'] === undefined && modelName !== undefined ? { model_name: modelName } : {};
  return { kind: 'line', value: { line, id, options: { ...options, ...named, priority: BATCH_PRIORITY }, input } };
}

/**
 * Lines that ask the same of the same model go together, in order of first appearance. Only an input that is one text (a
 * sentence, an image in base64) can stand in a list beside others without meaning something else.
 */
export function groupLines(lines: readonly BatchLine[], largest: number): readonly (readonly BatchLine[])[] {
  const groups: BatchLine[][] = [];
  const open = new Map<string, BatchLine[]>();
  for (const line of lines) {
    const key = typeof line.input === 'string' ? JSON.stringify(line.options) : undefined;
    const group = key === undefined ? undefined : open.get(key);
    if (group !== undefined && group.length < largest) {
      group.push(line);
      continue;
    }
    const started = [line];
    groups.push(started);
    if (key !== undefined) open.set(key, started);
  }
  return groups;
}

export type LineResult = {
  readonly line: number;
  readonly id?: string;
  readonly status: number;
  readonly answer?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly message: string };
};

export function failedResult(
  { line, id }: Pick<BatchLine, 'line' | 'id'>,
  status: number,
  code: string,
  message: string,
): LineResult {
  return { line, ...(id === undefined ? {} : { id }), status, error: { code, message } };
}

/** Whether the same request may do better later, by its code: codes that this version does not know may not. */
export function mayDoBetter(code: string): boolean {
  return RETRYABLE_CODES.has(code);
}

const LATER: readonly ErrorCode[] = [
  'overloaded',
  'target_unavailable',
  'chain_exhausted',
  'deadline_exceeded',
  'stream_broken',
];
const RETRYABLE_CODES: ReadonlySet<string> = new Set(LATER.filter(isRetryable));
