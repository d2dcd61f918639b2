/**
 * The one call of SageMaker's control plane that the product makes, DescribeEndpoint, for the stand-in's endpoint. JSON 1.1, at
 * the root of the same listener: both faces are signed for the same service.
 */
import type { ServerResponse } from 'node:http';
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import type { ServiceRequest } from '../lib/http-service.ts';
import { fieldsOf, parseJson } from '../lib/json.ts';
import type { ContainerState } from './sagemaker-container.ts';
import type { EndpointSpec } from './sagemaker-invoke.ts';

const CONTENT_TYPE = 'application/x-amz-json-1.1';
const STATUS_OF: Readonly<Record<ContainerState['kind'], string>> = {
  starting: 'Creating',
  in_service: 'InService',
  failed: 'Failed',
};

export function isControlCall(request: ServiceRequest): boolean {
  return request.method === 'POST' && request.path === '/';
}

export function answerControlCall(
  request: ServiceRequest,
  response: ServerResponse,
  spec: EndpointSpec,
  state: ContainerState,
): void {
  if (request.headers['x-amz-target'] !== 'SageMaker.DescribeEndpoint') {
    send(response, 400, { __type: 'UnknownOperationException' });
    return;
  }
  const name = fieldsOf(parseJson(Buffer.from(request.body).toString('utf8')))['EndpointName'];
  const arn = (of: string): string => `arn:aws:sagemaker:${spec.region}:${LOCAL_ACCOUNT}:endpoint/${of}`;
  if (name !== spec.name) {
    const message = `Could not find endpoint "${typeof name === 'string' ? arn(name) : ''}".`;
    send(response, 400, { __type: 'ValidationException', message });
    return;
  }
  send(response, 200, {
    EndpointName: spec.name,
    EndpointArn: arn(spec.name),
    EndpointConfigName: spec.name,
    EndpointStatus: STATUS_OF[state.kind],
    ProductionVariants: [{ VariantName: spec.variantName, CurrentInstanceCount: 1, DesiredInstanceCount: 1 }],
  });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': CONTENT_TYPE }).end(JSON.stringify(body));
}
