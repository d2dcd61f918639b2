/**
 * What the Lambda Node.js runtime gives a streaming handler, as far as it is used here, and how an HTTP head is put in
 * front of a stream: JSON, eight zero bytes, then the body.
 */
import type { Writable } from 'node:stream';

export type ResponseHead = { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> };

/** Payload format 2.0, the fields used. Everything may be missing: a handler can be invoked with anything. */
export type FunctionUrlEvent = {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly requestContext?: { readonly http?: { readonly method?: string } };
};

export type LambdaContext = { getRemainingTimeInMillis?(): number };

export type StreamingHandler = (event: FunctionUrlEvent, stream: Writable, context: LambdaContext) => Promise<void>;

type AwsLambdaGlobal = {
  streamifyResponse(handler: StreamingHandler): StreamingHandler;
  readonly HttpResponseStream: { from(stream: Writable, head: ResponseHead): Writable };
};

const HEAD_DELIMITER_BYTES = 8;
const HEAD_CONTENT_TYPE = 'application/vnd.awslambda.http-integration-response';

declare global {
  // `var`, because only that makes a property of globalThis. Present in Lambda alone.
  var awslambda: AwsLambdaGlobal | undefined;
}

function runtime(): AwsLambdaGlobal | undefined {
  return globalThis.awslambda;
}

/** Outside Lambda the handler stays as it is, so that tests and a stand-in can call it. */
export function streamify(handler: StreamingHandler): StreamingHandler {
  return runtime()?.streamifyResponse(handler) ?? handler;
}

/** Outside Lambda writes the very bytes that the runtime would. */
export function withHead(stream: Writable, head: ResponseHead): Writable {
  const http = runtime()?.HttpResponseStream;
  if (http !== undefined) return http.from(stream, head);
  const typed = stream as Writable & { setContentType?(type: string): void };
  typed.setContentType?.(HEAD_CONTENT_TYPE);
  stream.write(JSON.stringify(head));
  stream.write(new Uint8Array(HEAD_DELIMITER_BYTES));
  return stream;
}
