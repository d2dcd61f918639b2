/**
 * W3C trace context: reading and writing `traceparent`, and the span ids of one request. Pure: ids derive from a UUID that the
 * caller brings. https://www.w3.org/TR/trace-context/
 */

export type Trace = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of whoever asked; undefined where the trace begins here. */
  readonly parentSpanId: string | undefined;
  /** Sixteen digits, the gateway's own span: those of attempts differ in the last two. */
  readonly spanId: string;
  readonly sampled: boolean;
};

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SAMPLED_FLAG = 1;
/** An attempt's number fits two digits; a plan has far fewer. */
const MAX_SPANS = 255;

type Parsed = { readonly traceId: string; readonly parentSpanId: string; readonly sampled: boolean };

/** Undefined where the header is none, or not one that may be believed: the trace then begins anew, as the standard asks. */
export function parseTraceparent(header: string): Parsed | undefined {
  const [, version, traceId = '', parentSpanId = '', flags = '', rest] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return undefined;
  return { traceId, parentSpanId, sampled: (Number.parseInt(flags, 16) & SAMPLED_FLAG) === SAMPLED_FLAG };
}

/**
 * The trace that a request belongs to: the caller's, or one of its own.
 * @param uuid random; where it is the request's id as well, the trace can be found by it
 * @param sampleRatio of the traces that begin here; a caller's trace is sampled where the caller says so
 */
export function traceFrom(header: string | null, uuid: string, sampleRatio: number): Trace {
  const hex = uuid.replaceAll('-', '');
  const spanId = `${hex.slice(0, 14)}00`;
  const joined = header === null ? undefined : parseTraceparent(header);
  if (joined !== undefined) return { ...joined, spanId };
  return { traceId: hex, parentSpanId: undefined, spanId, sampled: drawn(hex) < sampleRatio };
}

/** From digits that no UUID fixes. */
function drawn(hex: string): number {
  return Number.parseInt(hex.slice(24, 32), 16) / 2 ** 32;
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** @param number from 1: 0 is the gateway's own */
export function attemptSpanId(trace: Trace, number: number): string {
  return trace.spanId.slice(0, 14) + Math.min(number, MAX_SPANS).toString(16).padStart(2, '0');
}

export function formatTraceparent(trace: Trace, spanId: string): string {
  return `00-${trace.traceId}-${spanId}-0${trace.sampled ? SAMPLED_FLAG : 0}`;
}

/** What a call carries of it; nothing where the request came in another way. @param number of the attempt */
export function traceContext(trace: Trace | undefined, number: number): { readonly traceparent?: string } {
  return trace === undefined ? {} : { traceparent: formatTraceparent(trace, attemptSpanId(trace, number)) };
}
