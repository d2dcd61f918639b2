/**
 * One HTTP request on its way through the pipeline, as every protocol's adapter sees it.
 */
import { TRACEPARENT_HEADER } from '../../shared/names.ts';
import { isUuid, traceFrom } from '../../shared/trace/trace.ts';
import type { Limits } from '../../shared/schema/config.ts';
import type { WireInferRequest } from '../../shared/schema/infer-request.ts';
import { handle } from '../pipeline/handle.ts';
import { apiKeyFrom } from '../pipeline/identify.ts';
import type { Incoming, Outcome, ParseInput } from '../pipeline/incoming.ts';
import type { Services } from '../pipeline/services.ts';

export type Exchange = {
  readonly request: Request;
  readonly requestId: string;
  readonly keepAlive: (work: Promise<unknown>) => void;
  readonly services: Services;
};

export type Protocol = {
  readonly name: string;
  readonly read: (limits: Limits) => Promise<WireInferRequest>;
  readonly parseInput?: ParseInput;
  readonly textListener?: Incoming['textListener'];
  /** Fires when the caller of a streamed answer has stopped reading it. */
  readonly gone?: AbortSignal;
};

export function runExchange(
  { request, requestId, keepAlive, services }: Exchange,
  protocol: Protocol,
): Promise<Outcome> {
  return handle(
    {
      requestId,
      trace: traceFrom(
        request.headers.get(TRACEPARENT_HEADER),
        isUuid(requestId) ? requestId : crypto.randomUUID(),
        services.traceSampleRatio,
      ),
      protocol: protocol.name,
      receivedAtMs: services.clock.now(),
      apiKey: apiKeyFrom(request.headers),
      signal: protocol.gone === undefined ? request.signal : AbortSignal.any([request.signal, protocol.gone]),
      read: protocol.read,
      ...(protocol.parseInput === undefined ? {} : { parseInput: protocol.parseInput }),
      ...(protocol.textListener === undefined ? {} : { textListener: protocol.textListener }),
      keepAlive,
    },
    services,
  );
}
