/**
 * Faults that a test asks of a stand-in, applied on the wire in front of the real behaviour.
 * Owns what each fault does to one exchange; `refuse` closes the listener and so lives in http-service.ts.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Fault =
  /** Works, but the answer starts this much later. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Nobody listens: ECONNREFUSED, open connections are cut. */
  | { readonly kind: 'refuse' }
  /** Takes the request, then closes without a byte. */
  | { readonly kind: 'cut_before_headers' }
  /** 200 and headers, then silence until the caller leaves. */
  | { readonly kind: 'stall_after_headers' }
  /** The real answer, cut half way through its first bytes of body. */
  | { readonly kind: 'cut_mid_body' }
  /** 200 with bytes that are no answer of this service. */
  | { readonly kind: 'garbage' }
  /** The service's own error answer of this status. */
  | { readonly kind: 'status'; readonly status: number };

export type FaultAnswers = {
  /** Content type of a good answer to this path. */
  contentType(path: string): string;
  sendStatus(response: ServerResponse, status: number, path: string): void;
};

const GARBAGE = Buffer.from('\u0000\u0001<html>{"kind":"predict', 'utf8');
/** 0xff never occurs in UTF-8, so neither a text nor a JSON reader can take it for an answer. */
const NOT_TEXT = Buffer.from([0xff, 0xfe, 0x00, 0x80]);

/** True where the exchange is over; false where the real handler goes on. */
export async function applyFault(
  fault: Fault | null,
  exchange: { readonly path: string; readonly response: ServerResponse; readonly signal: AbortSignal },
  answers: FaultAnswers,
): Promise<boolean> {
  const { path, response, signal } = exchange;
  if (fault === null) return false;
  switch (fault.kind) {
    case 'refuse':
    case 'cut_before_headers':
      response.socket?.destroy();
      return true;
    case 'slow':
      await sleep(fault.ms, undefined, { signal }).catch(() => undefined);
      return signal.aborted;
    case 'stall_after_headers':
      response.writeHead(200, { 'content-type': answers.contentType(path) });
      response.flushHeaders();
      return true;
    case 'garbage':
      response.writeHead(200, { 'content-type': answers.contentType(path) });
      response.end(Buffer.concat([NOT_TEXT, GARBAGE, NOT_TEXT]));
      return true;
    case 'status':
      answers.sendStatus(response, fault.status, path);
      return true;
    case 'cut_mid_body':
      cutFirstBytes(response);
      break;
  }
  return false;
}

/** Lets half of the first piece of body out, then closes the connection under it. */
function cutFirstBytes(response: ServerResponse): void {
  const write = response.write.bind(response);
  let cut = false;
  const cutAt = (chunk: unknown): boolean => {
    if (cut || (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))) return true;
    const bytes = Buffer.from(chunk);
    if (bytes.length === 0) return true;
    cut = true;
    const socket: Socket | null = response.socket;
    write(bytes.subarray(0, Math.max(1, bytes.length >> 1)), () => socket?.destroy());
    return true;
  };
  response.write = (chunk: unknown): boolean => cutAt(chunk);
  response.end = (chunk?: unknown): ServerResponse => {
    cutAt(chunk);
    if (!cut) response.socket?.destroy();
    return response;
  };
}
