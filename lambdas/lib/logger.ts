/**
 * One JSON line a request, and a few about the process. Owns the line's shape.
 * A field that could carry an input has no place in `RequestLine`; nothing here accepts free text from a caller.
 */
import type { ErrorCode } from '../../shared/errors.ts';
import { MODEL_METRICS } from '../../shared/names.ts';
import { emfFields } from './emf.ts';
import type { LogLevel } from './env.ts';

export type RequestLine = {
  readonly request_id: string;
  /** Of the W3C trace context that came with the request. */
  readonly trace_id: string | null;
  /** Null unless it names a model or variant served here: a caller's text must not reach the log. */
  readonly model: string | null;
  readonly variant: string | null;
  /** Inputs asked. */
  readonly items: number;
  /** Inputs answered before the end. */
  readonly answered: number;
  readonly latency_ms: number;
  readonly compute_ms: number;
  readonly outcome: 'ok' | 'error' | 'aborted';
  readonly error_code: ErrorCode | null;
  /** Only for failures of ours: kind and place, never a message. */
  readonly detail?: string;
};

type ProcessLine = Readonly<Record<string, string | number | boolean | null>>;

export type Logger = {
  request(line: RequestLine): void;
  process(level: LogLevel, message: string, fields?: ProcessLine): void;
};

export type LoggerOptions = {
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  readonly now: () => Date;
  /** Request lines are embedded metrics as well: where CloudWatch reads them. */
  readonly embedMetrics?: boolean;
};

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export function createLogger({ level, write, now, embedMetrics = false }: LoggerOptions): Logger {
  function log(lineLevel: LogLevel, message: string, fields: object): void {
    if (LEVELS.indexOf(lineLevel) < LEVELS.indexOf(level)) return;
    write(`${JSON.stringify({ timestamp: now().toISOString(), level: lineLevel, message, ...fields })}\n`);
  }
  return {
    request: (line) =>
      log(requestLevel(line), 'request', embedMetrics ? { ...line, ...metricsOf(line, now().getTime()) } : line),
    process: (lineLevel, message, fields = {}) => log(lineLevel, message, fields),
  };
}

/** Of what was computed; a refusal has no model to count it under. Labels are names of models served here. */
function metricsOf(line: RequestLine, timestampMs: number): object {
  if (line.model === null || line.variant === null || line.answered === 0) return {};
  return emfFields({
    timestampMs,
    dimensions: { Model: line.model, Variant: line.variant },
    metrics: {
      [MODEL_METRICS.computeMs]: { value: line.compute_ms, unit: 'Milliseconds' },
      [MODEL_METRICS.items]: { value: line.answered, unit: 'Count' },
    },
  });
}

function requestLevel(line: RequestLine): LogLevel {
  if (line.outcome === 'ok') return 'info';
  return line.error_code === 'internal' || line.error_code === 'not_configured' ? 'error' : 'warn';
}

/** Where an unexpected error came from, without its message, which may quote what a caller sent. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const place = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  return place === undefined ? error.name : `${error.name} ${place.trim()}`;
}
