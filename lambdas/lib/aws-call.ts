/**
 * Signed calls to AWS for the small functions: DynamoDB and the other JSON protocols. Owns the wire, one time limit a call and
 * few retries; an SDK client would be ten times a function's size.
 */
import { AwsClient } from 'aws4fetch';

export type AwsIdentity = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
};

type AwsAnswer = { readonly status: number; readonly headers: Headers; readonly text: string };

export type AwsCaller = {
  /** Rejects where nothing answers within the time limit; every answer is a value. */
  send(service: string, region: string, url: string, init?: AwsInit): Promise<AwsAnswer>;
  /** A JSON 1.0 or 1.1 operation: parsed answer, or an error that names AWS's own. */
  operation(call: AwsOperation): Promise<unknown>;
};

type AwsInit = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
};

type AwsOperation = {
  readonly service: string;
  readonly region: string;
  readonly url: string;
  /** `DynamoDB_20120810.GetItem` */
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly input: object;
};

/** Of AWS; `code` is its name for it. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number) {
    super(`AWS answered ${status} ${code}`);
    this.code = code;
    this.status = status;
  }
}

const TIMEOUT_MS = 5_000;
const RETRIES = 2;

export function createAwsCaller(identity: AwsIdentity, timeoutMs = TIMEOUT_MS): AwsCaller {
  const { sessionToken } = identity;
  const client = new AwsClient({
    accessKeyId: identity.accessKeyId,
    secretAccessKey: identity.secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    retries: RETRIES,
  });

  async function send(service: string, region: string, url: string, init: AwsInit = {}): Promise<AwsAnswer> {
    const response = await client.fetch(url, {
      method: init.method ?? 'GET',
      ...(init.headers === undefined ? {} : { headers: init.headers }),
      ...(init.body === undefined ? {} : { body: init.body }),
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'manual',
      aws: { service, region },
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  return {
    send,
    async operation({ service, region, url, target, version, input }) {
      const { status, text } = await send(service, region, url, {
        method: 'POST',
        headers: { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target },
        body: JSON.stringify(input),
      });
      const answer = parseJson(text);
      if (status !== 200) throw new AwsError(errorName(answer), status);
      return answer;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException` */
function errorName(answer: unknown): string {
  const type = typeof answer === 'object' && answer !== null && '__type' in answer ? answer.__type : undefined;
  return typeof type === 'string' ? type.slice(type.lastIndexOf('#') + 1) : 'unnamed';
}
