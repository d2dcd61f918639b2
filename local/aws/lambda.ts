/**
 * Lambda's stand-in for one function: the Invoke API and the Function URL on two ports, over the real handler in child
 * processes. Owns start, readiness, faults and stop; leaves out versions, aliases, layers and asynchronous retries.
 */
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import { restSignatureError, sendRestJsonError } from '../lib/aws-error.ts';
import { EVENT_STREAM_CONTENT_TYPE } from '../lib/event-stream.ts';
import type { Fault } from '../lib/fault.ts';
import { startHttpService } from '../lib/http-service.ts';
import type { ServiceCounts } from '../lib/http-service.ts';
import { verifySigV4 } from '../sigv4.ts';
import type { FindKey, Verification } from '../sigv4.ts';
import type { SignedRequest } from '../lib/canonical-request.ts';
import type { FunctionSpec } from './lambda-environment.ts';
import { MAX_EVENT_BYTES, answerFunctionUrl, sendFunctionUrlStatus } from './lambda-function-url.ts';
import { answerInvoke, sendInvokeStatus } from './lambda-invoke.ts';
import { createPool } from './lambda-pool.ts';

export type LambdaOptions = {
  /** Of the Invoke API. */
  readonly port?: number;
  readonly functionUrlPort?: number;
  readonly region: string;
  readonly findKey: FindKey;
  readonly functionName: string;
  /** Absolute path of the module with the handler. */
  readonly handlerFile: string;
  readonly handlerExport?: string;
  readonly timeoutMs?: number;
  readonly memoryMb?: number;
  /** Environments at most; one more call at once is throttled. */
  readonly concurrency?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** What the function prints, line by line. */
  readonly onLine?: (line: string) => void;
  readonly now?: () => number;
};

export type Lambda = {
  /** The Invoke API. */
  readonly url: string;
  readonly port: number;
  readonly functionUrl: string;
  /** Applies to both faces. */
  setFault(fault: Fault | null): Promise<void>;
  counts(): { readonly invoke: ServiceCounts; readonly functionUrl: ServiceCounts };
  /** Process ids of the living environments. */
  pids(): readonly number[];
  /** Starts the first environment and resolves when its handler is loaded; rejects with the reason where it cannot be. */
  waitUntilReady(): Promise<void>;
  close(): Promise<void>;
};

export async function startLambda(options: LambdaOptions): Promise<Lambda> {
  const now = options.now ?? Date.now;
  const spec: FunctionSpec = {
    name: options.functionName,
    arn: `arn:aws:lambda:${options.region}:${LOCAL_ACCOUNT}:function:${options.functionName}`,
    region: options.region,
    handlerFile: options.handlerFile,
    handlerExport: options.handlerExport ?? 'handler',
    timeoutMs: options.timeoutMs ?? 30_000,
    memoryMb: options.memoryMb ?? 1024,
    environment: options.environment ?? {},
    onLine: options.onLine,
  };
  const pool = createPool(spec, options.concurrency ?? 2);
  const verify = (request: SignedRequest): Verification =>
    verifySigV4(request, { region: options.region, service: 'lambda', findKey: options.findKey, nowMs: now() });

  const invokeApi = await startHttpService({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: MAX_EVENT_BYTES,
    contentType: (path) => (path.includes('response-streaming') ? EVENT_STREAM_CONTENT_TYPE : 'application/json'),
    sendTooLarge: (response) => sendInvokeStatus(response, 413),
    sendStatus: sendInvokeStatus,
    async handle(request, response) {
      const verification = verify(request);
      if (verification.kind === 'refused') sendRestJsonError(response, restSignatureError(verification));
      else await answerInvoke(pool, spec, request, response);
    },
  });
  const functionUrl = await startHttpService({
    ...(options.functionUrlPort === undefined ? {} : { port: options.functionUrlPort }),
    maxBodyBytes: MAX_EVENT_BYTES,
    contentType: () => 'application/x-ndjson',
    sendTooLarge: (response) => sendFunctionUrlStatus(response, 413),
    sendStatus: sendFunctionUrlStatus,
    async handle(request, response) {
      const verification = verify(request);
      if (verification.kind === 'verified') {
        await answerFunctionUrl(pool, request, response, { accessKeyId: verification.key.accessKeyId, nowMs: now() });
      } else if (verification.code === 'MissingAuthenticationTokenException') {
        // An unsigned call reaches IAM as nobody: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
        sendFunctionUrlStatus(response, 403);
      } else {
        sendRestJsonError(response, restSignatureError(verification));
      }
    },
  }).catch(async (cause: unknown) => {
    await invokeApi.close();
    throw cause;
  });

  return {
    url: invokeApi.url,
    port: invokeApi.port,
    functionUrl: `${functionUrl.url}/`,
    async setFault(fault) {
      await Promise.all([invokeApi.setFault(fault), functionUrl.setFault(fault)]);
    },
    counts: () => ({ invoke: invokeApi.counts(), functionUrl: functionUrl.counts() }),
    pids: () => pool.pids(),
    waitUntilReady: () => pool.warm(),
    async close() {
      await Promise.all([invokeApi.close(), functionUrl.close()]);
      await pool.close();
    },
  };
}
