/**
 * SQS's stand-in for one queue, and the event source mapping that hands its messages to a function, one a call. Owns delivery at
 * least once: a message whose call failed, or was never answered, comes back after its visibility time-out. Leaves out
 * receiving by hand, delays, ordering and dead letters.
 */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { sendJson10Error, json10SignatureError } from '../lib/aws-error.ts';
import { startHttpService, type ServiceRequest } from '../lib/http-service.ts';
import { fieldsOf, parseJson } from '../lib/json.ts';
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import { verifySigV4, type FindKey } from '../sigv4.ts';

export type SqsOptions = {
  readonly port?: number;
  readonly region: string;
  readonly queue: string;
  readonly findKey: FindKey;
  /** After it a message that is not done with is seen again. */
  readonly visibilityMs: number;
  /** Calls at once, as an event source's maximum concurrency. */
  readonly concurrency: number;
  /** Hands one event on; true: the message is done with. */
  readonly deliver: (event: SqsEvent) => Promise<boolean>;
};

export type SqsEvent = {
  readonly Records: readonly { readonly messageId: string; readonly body: string; readonly eventSource: 'aws:sqs' }[];
};

export type Sqs = {
  readonly queueUrl: string;
  /** Messages that are not done with. */
  depth(): number;
  close(): Promise<void>;
};

type Message = { readonly id: string; readonly body: string; visibleAtMs: number };

const CONTENT_TYPE = 'application/x-amz-json-1.0';
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_ENTRIES = 10;
const POLL_MS = 20;

export async function startSqs(options: SqsOptions): Promise<Sqs> {
  const messages = new Map<string, Message>();
  const delivering = new Set<Promise<void>>();

  async function deliver(message: Message): Promise<void> {
    const event: SqsEvent = {
      Records: [{ messageId: message.id, body: message.body, eventSource: 'aws:sqs' }],
    };
    const isDone = await options.deliver(event).catch(() => false);
    if (isDone) messages.delete(message.id);
  }

  function poll(): void {
    const nowMs = Date.now();
    for (const message of messages.values()) {
      if (delivering.size >= options.concurrency) return;
      if (message.visibleAtMs > nowMs) continue;
      message.visibleAtMs = nowMs + options.visibilityMs;
      const done: Promise<void> = deliver(message).finally(() => delivering.delete(done));
      delivering.add(done);
    }
  }

  function sendBatch(request: ServiceRequest, response: ServerResponse): void {
    const { Entries: entries, QueueUrl: queueUrl } = fieldsOf(parseJson(Buffer.from(request.body).toString('utf8')));
    if (typeof queueUrl !== 'string' || !queueUrl.endsWith(`/${options.queue}`)) {
      sendJson10Error(response, {
        status: 400,
        type: 'com.amazonaws.sqs#QueueDoesNotExist',
        message: 'No such queue.',
      });
      return;
    }
    if (!Array.isArray(entries) || entries.length === 0 || entries.length > MAX_ENTRIES) {
      sendJson10Error(response, {
        status: 400,
        type: 'com.amazonaws.sqs#TooManyEntriesInBatchRequest',
        message: '1 to 10.',
      });
      return;
    }
    const successful = entries.map((entry: unknown) => {
      const { Id: id, MessageBody: body } = fieldsOf(entry);
      const message = { id: randomUUID(), body: String(body), visibleAtMs: 0 };
      messages.set(message.id, message);
      return { Id: id, MessageId: message.id };
    });
    response
      .writeHead(200, { 'content-type': CONTENT_TYPE })
      .end(JSON.stringify({ Successful: successful, Failed: [] }));
  }

  const service = await startHttpService({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: MAX_BODY_BYTES,
    contentType: () => CONTENT_TYPE,
    sendTooLarge: (response) => response.writeHead(413).end(),
    sendStatus: (response, status) =>
      sendJson10Error(response, { status, type: 'com.amazonaws.sqs#RequestThrottled', message: 'Throttled.' }),
    async handle(request, response) {
      const { region, findKey } = options;
      const verification = verifySigV4(request, { region, service: 'sqs', findKey, nowMs: Date.now() });
      if (verification.kind === 'refused') sendJson10Error(response, json10SignatureError(verification));
      else if (request.headers['x-amz-target'] === 'AmazonSQS.SendMessageBatch') sendBatch(request, response);
      else sendJson10Error(response, { status: 400, type: 'com.amazonaws.sqs#InvalidAction', message: 'Unknown.' });
    },
  });
  const timer = setInterval(poll, POLL_MS);
  return {
    queueUrl: `${service.url}/${LOCAL_ACCOUNT}/${options.queue}`,
    depth: () => messages.size,
    async close() {
      clearInterval(timer);
      await service.close();
      await Promise.allSettled(delivering);
    },
  };
}
