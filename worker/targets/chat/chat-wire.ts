/**
 * Chat completions through SageMaker's response stream, as one wire of a model server's target.
 */
import type { TargetSpec } from '../../../shared/schema/config.ts';
import { failed } from '../failure.ts';
import type { ServerWire } from '../model-server.ts';
import { encodeCompletionRequest } from './completion-request.ts';
import { readChatStream } from './read-chat-stream.ts';
import { Stages, type StageLimits } from './stages.ts';

type StreamTimeouts = Extract<TargetSpec['endpoint'], { kind: 'sagemaker' }>['stream_timeouts'];

const DEFAULT_STAGES: StageLimits = { connectMs: 10_000, firstTokenMs: 30_000, idleMs: 15_000 };

export function createChatWire(timeouts: StreamTimeouts): ServerWire {
  const limits: StageLimits =
    timeouts === undefined
      ? DEFAULT_STAGES
      : { connectMs: timeouts.connect_ms, firstTokenMs: timeouts.first_token_ms, idleMs: timeouts.idle_ms };
  return {
    accept: 'application/vnd.amazon.eventstream',
    stages: limits,
    encode(call, maxBytes) {
      if (call.input.kind !== 'chat') return failed('rejected', `a chat model takes no ${call.input.kind}`);
      const body = encodeCompletionRequest(call.input, call.model.name);
      return body.byteLength > maxBytes
        ? failed('rejected', `the input exceeds this target's ${maxBytes} bytes`)
        : body;
    },
    read: (response, call, stages) =>
      readChatStream(response.body, call.onText, stages ?? new Stages(limits, new AbortController().signal)),
  };
}
