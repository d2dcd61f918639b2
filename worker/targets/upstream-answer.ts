/**
 * Reads the model server's JSON Lines answer as it arrives. Owns the byte limit, the order and count of lines and what
 * an answer that ends early means; leaves out time (the attempt's signal breaks the stream) and HTTP status.
 */
import { joinBytes } from '../../shared/protocol/join-bytes.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import type { TargetResult } from '../ports.ts';
import { failed } from './failure.ts';
import { reasonOfServerCode } from '../aws/server-error.ts';
import { parseUpstreamLine } from './upstream-line.ts';

export type ExpectedAnswer = {
  readonly count: number;
  /** The model's labels: any other label is another model's answer. Empty where embeddings are asked. */
  readonly labels: ReadonlySet<string>;
};

/** Far above an honest answer (a line is about 200 bytes, an embedding's 8,000) and far below what would hurt the isolate. */
const BASE_LIMIT_BYTES = 16_384;
const LIMIT_BYTES_PER_ITEM = 16_384;
const NEWLINE = 0x0a;

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/** Never rejects. The body is at its end or cancelled when this returns. */
export async function readUpstreamAnswer(response: Response, expected: ExpectedAnswer): Promise<TargetResult> {
  const lines = new AnswerLines(expected);
  const limitBytes = BASE_LIMIT_BYTES + LIMIT_BYTES_PER_ITEM * expected.count;
  const declaredBytes = Number(response.headers.get('content-length') ?? Number.NaN);
  // Of a known and small length: taken whole, which costs one turn of the event loop where a stream costs one a chunk.
  if (declaredBytes <= limitBytes) return readWhole(response, lines);
  return response.body === null ? lines.cut() : readStream(response.body.getReader(), lines, limitBytes);
}

async function readWhole(response: Response, lines: AnswerLines): Promise<TargetResult> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch {
    return lines.cut();
  }
  return lines.push(bytes) ?? lines.end();
}

async function readStream(reader: BodyReader, lines: AnswerLines, limitBytes: number): Promise<TargetResult> {
  let receivedBytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return lines.end();
      receivedBytes += value.byteLength;
      if (receivedBytes > limitBytes) {
        cancelQuietly(reader);
        return failed('garbage', `the answer is longer than ${limitBytes} bytes`);
      }
      const result = lines.push(value);
      if (result !== undefined) {
        if (result.kind === 'answered') meetTheEnd(reader);
        else cancelQuietly(reader);
        return result;
      }
    }
  } catch {
    return lines.cut();
  }
}

function cancelQuietly(reader: BodyReader): void {
  reader.cancel().catch(() => undefined);
}

/** For an end of stream that, with an honest upstream, comes right behind the last line. */
const END_GRACE_MS = 20;

/**
 * The answer is complete, but only a stream read to its end lets the connection be used again. So one more read meets
 * the end, and what comes instead of it, or never comes, is cancelled. Nobody waits for that: the answer is out already.
 */
function meetTheEnd(reader: BodyReader): void {
  const timer = setTimeout(() => cancelQuietly(reader), END_GRACE_MS);
  reader
    .read()
    .then(({ done }) => (done ? undefined : cancelQuietly(reader)))
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
const NOTHING = new Uint8Array(0);

/** The lines seen so far of one answer. Split at bytes: 0x0a is never part of another character in UTF-8. */
class AnswerLines {
  readonly #expected: ExpectedAnswer;
  readonly #predictions: Prediction[] = [];
  #rest: Uint8Array = NOTHING;

  constructor(expected: ExpectedAnswer) {
    this.#expected = expected;
  }

  /** A result where the bytes end the answer. */
  push(bytes: Uint8Array): TargetResult | undefined {
    const held = this.#rest.length === 0 ? bytes : joinBytes([this.#rest, bytes]);
    const end = held.lastIndexOf(NEWLINE) + 1;
    this.#rest = held.subarray(end);
    const text = end === 0 ? '' : decode(held.subarray(0, end));
    if (text === undefined) return failed('garbage', 'the answer holds bytes that are not UTF-8');
    for (let from = 0; from < text.length;) {
      const newline = text.indexOf('\n', from);
      const result = this.#take(text.slice(from, newline));
      from = newline + 1;
      if (result === undefined) continue;
      const isLast = this.#rest.length === 0 && text.slice(from).trim() === '';
      return isLast || result.kind === 'failed' ? result : failed('garbage', 'the answer went on after its last line');
    }
    return undefined;
  }

  /** The body ended. A last line that lacks only its newline counts when it is whole; otherwise the answer was cut. */
  end(): TargetResult {
    const text = decode(this.#rest) ?? '';
    const whole = text.trim() !== '' && parseUpstreamLine(text) !== undefined;
    return (whole ? this.#take(text) : undefined) ?? this.cut();
  }

  cut(): TargetResult {
    return failed(
      'cut',
      `the answer broke off after ${this.#predictions.length} of ${this.#expected.count} predictions`,
    );
  }

  #take(line: string): TargetResult | undefined {
    if (line === '' || line === '\r') return undefined;
    const { count, labels } = this.#expected;
    const predictions = this.#predictions;
    const parsed = parseUpstreamLine(line);
    if (parsed === undefined)
      return failed('garbage', `line ${predictions.length + 1} of the answer is not of the protocol`);
    if (parsed.kind === 'error') return failErrorLine(parsed.code);
    if (parsed.kind === 'done') {
      const { compute_ms: computeMs } = parsed;
      if (parsed.count === count && predictions.length === count) return { kind: 'answered', predictions, computeMs };
      return failed('garbage', `${predictions.length} predictions came where ${count} were asked`, { computeMs });
    }
    if (predictions.length === count) return failed('garbage', `more than ${count} predictions came`);
    if (parsed.kind === 'embedding') {
      if (labels.size > 0) return failed('garbage', 'an embedding came where a label was asked');
      const { embedding, truncated } = parsed;
      predictions.push({ kind: 'embedding', embedding, confidence: 1, truncated });
      return undefined;
    }
    if (!labels.has(parsed.label)) return failed('garbage', 'a prediction names a label the model does not have');
    predictions.push({
      kind: 'class',
      label: parsed.label,
      confidence: parsed.confidence,
      top: parsed.top,
      truncated: parsed.truncated,
    });
    return undefined;
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function failErrorLine(code: string): TargetResult {
  const known = reasonOfServerCode(code);
  return failed(
    known ?? 'upstream_error',
    known === undefined ? 'the model server gave up' : `the model server gave up: ${code}`,
  );
}
