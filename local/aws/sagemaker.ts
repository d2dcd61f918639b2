/**
 * SageMaker runtime's stand-in for one endpoint: InvokeEndpoint and its response-stream form over the real container.
 * Owns paths, checks in front of the container, and the errors that are not the model's.
 */
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import type { ServerResponse } from 'node:http';
import { restSignatureError, sendRestJsonError } from '../lib/aws-error.ts';
import { EVENT_STREAM_CONTENT_TYPE } from '../lib/event-stream.ts';
import type { Fault } from '../lib/fault.ts';
import { startHttpService } from '../lib/http-service.ts';
import type { ServiceCounts, ServiceRequest } from '../lib/http-service.ts';
import { verifySigV4 } from '../sigv4.ts';
import type { FindKey } from '../sigv4.ts';
import { answerControlCall, isControlCall } from './sagemaker-control.ts';
import { startContainer } from './sagemaker-container.ts';
import type { ContainerState } from './sagemaker-container.ts';
import { MAX_BODY_BYTES, invokeContainer, sendModelError } from './sagemaker-invoke.ts';
import type { EndpointSpec } from './sagemaker-invoke.ts';

const PATH = /^\/endpoints\/([^/]+)\/invocations(-response-stream)?$/;

export type SageMakerOptions = {
  readonly port?: number;
  readonly region: string;
  readonly findKey: FindKey;
  readonly endpointName: string;
  /** Default AllTraffic, SageMaker's own default. */
  readonly variantName?: string;
  /** Absolute path of the container's program; it is run with the argument `serve`. */
  readonly containerFile: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Default 60 s, SageMaker's limit. */
  readonly timeoutMs?: number;
  /** Default 8 minutes, SageMaker's limit for a whole stream. */
  readonly streamTimeoutMs?: number;
  readonly startTimeoutMs?: number;
  readonly stopGraceMs?: number;
  readonly onLine?: (line: string) => void;
  readonly now?: () => number;
};

export type SageMaker = {
  readonly url: string;
  readonly port: number;
  setFault(fault: Fault | null): Promise<void>;
  counts(): ServiceCounts;
  containerState(): ContainerState;
  /** Resolves when the container answers /ping with 200; rejects where it cannot start. */
  waitUntilReady(): Promise<void>;
  close(): Promise<void>;
};

export async function startSageMaker(options: SageMakerOptions): Promise<SageMaker> {
  const now = options.now ?? Date.now;
  const spec: EndpointSpec = {
    name: options.endpointName,
    region: options.region,
    variantName: options.variantName ?? 'AllTraffic',
    timeoutMs: options.timeoutMs ?? 60_000,
    streamTimeoutMs: options.streamTimeoutMs ?? 480_000,
  };
  const service = await startHttpService({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: MAX_BODY_BYTES,
    contentType: (path) => (path.endsWith('-response-stream') ? EVENT_STREAM_CONTENT_TYPE : 'application/x-ndjson'),
    // As reported by callers ("An error occurred (413) ... HTTP content length exceeded"); the model names no error for it.
    sendTooLarge: (response) =>
      sendRestJsonError(response, {
        status: 413,
        type: '',
        message: `HTTP content length exceeded ${MAX_BODY_BYTES} bytes.`,
      }),
    sendStatus: (response, status) => sendStatus(response, status, spec),
    async handle(request, response) {
      const verification = verifySigV4(request, {
        region: options.region,
        service: 'sagemaker',
        findKey: options.findKey,
        nowMs: now(),
      });
      if (verification.kind === 'refused') sendRestJsonError(response, restSignatureError(verification));
      else if (isControlCall(request)) answerControlCall(request, response, spec, container.state());
      else await route(request, response);
    },
  });
  const container = startContainer({
    file: options.containerFile,
    environment: { AWS_REGION: options.region, AWS_DEFAULT_REGION: options.region, ...options.environment },
    startTimeoutMs: options.startTimeoutMs ?? 60_000,
    stopGraceMs: options.stopGraceMs ?? 30_000,
    onLine: options.onLine,
  });

  async function route(request: ServiceRequest, response: ServerResponse): Promise<void> {
    const match = PATH.exec(request.path);
    if (match === null || request.method !== 'POST') {
      sendRestJsonError(response, { status: 404, type: 'UnknownOperationException', message: 'Unknown operation' });
      return;
    }
    const problem = problemOf(request, decodeName(match[1] ?? ''));
    if (problem !== undefined) {
      sendRestJsonError(response, { status: 400, type: 'ValidationError', message: problem, messageKey: 'Message' });
      return;
    }
    const state = container.state();
    switch (state.kind) {
      case 'starting':
        sendStatus(response, 429, spec);
        return;
      case 'failed':
        sendStatus(response, 503, spec);
        return;
      case 'in_service':
        await invokeContainer(state.port, spec, request, response);
    }
  }

  function problemOf(request: ServiceRequest, name: string): string | undefined {
    if (name !== spec.name) return `Endpoint ${name} of account ${LOCAL_ACCOUNT} not found.`;
    const variant = request.headers['x-amzn-sagemaker-target-variant'];
    if (variant !== undefined && variant !== spec.variantName) {
      return `Variant ${String(variant)} not found for Endpoint ${name} of account ${LOCAL_ACCOUNT}.`;
    }
    return undefined;
  }

  return {
    url: service.url,
    port: service.port,
    setFault: (fault) => service.setFault(fault),
    counts: () => service.counts(),
    containerState: () => container.state(),
    waitUntilReady: () => container.waitUntilReady(),
    async close() {
      await service.close();
      await container.close();
    },
  };
}

function sendStatus(response: ServerResponse, status: number, spec: EndpointSpec): void {
  if (status === 424) {
    sendModelError(response, spec, 500, 'injected');
    return;
  }
  const [type, message] = ERRORS[status] ?? ['InternalFailure', 'An internal failure occurred.'];
  sendRestJsonError(response, { status, type, message, messageKey: 'Message' });
}

const ERRORS: Readonly<Record<number, readonly [string, string]>> = {
  400: ['ValidationError', 'Inspect your request and try again.'],
  429: ['ModelNotReadyException', 'The model is not ready for inference yet. Wait and try your request again.'],
  500: ['InternalFailure', 'An internal failure occurred.'],
  503: ['ServiceUnavailable', 'The service is unavailable. Try your call again.'],
  530: [
    'InternalDependencyException',
    'Your request caused an exception with an internal dependency. Contact customer support.',
  ],
};

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
