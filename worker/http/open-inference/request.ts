/**
 * `POST /v2/models/:model/infer`, the body: JSON or JSON with binary tensors behind it -> native fields and tensors.
 */
import * as z from 'zod/mini';
import { GatewayError } from '../../../shared/errors.ts';
import { readTensors } from '../../../shared/open-inference/read-tensors.ts';
import { HEADER_LENGTH_HEADER, splitBody } from '../../../shared/open-inference/split-body.ts';
import type { Limits } from '../../../shared/schema/config.ts';
import type { WireInferRequest } from '../../../shared/schema/infer-request.ts';
import { issuePath } from '../../../shared/schema/issue-path.ts';
import type { NamedTensor } from '../../../shared/schema/tensor.ts';
import { parseWire } from '../parse-wire.ts';
import { parseJson, readBody, refuseEncoded } from '../read-json.ts';
import { REQUIREMENT_FIELDS, requirementsFromHeaders } from '../requirement-headers.ts';
import { asCallersFault } from './error.ts';

const parametersSchema = z.record(z.string(), z.unknown());

const outputSchema = z.looseObject({
  name: z.string('must be a text'),
  parameters: z.optional(z.nullable(parametersSchema)),
});

const bodySchema = z.looseObject(
  {
    id: z.optional(z.nullable(z.string('must be a text').check(z.maxLength(256, 'has more than 256 characters')))),
    parameters: z.optional(z.nullable(parametersSchema)),
    inputs: z.unknown().check(z.refine((value) => value !== undefined, 'is missing')),
    outputs: z.optional(z.nullable(z.array(outputSchema, 'must be a list of outputs'))),
  },
  'must be a JSON object',
);

export type OpenInferenceRequest = {
  readonly id: string | undefined;
  readonly wire: WireInferRequest;
  readonly tensors: readonly NamedTensor[];
  /** Outputs wanted, with whether each goes binary; undefined: all of them. */
  readonly outputs: ReadonlyMap<string, boolean> | undefined;
  /** Where no output says otherwise. */
  readonly binaryByDefault: boolean;
};

const encoder = new TextEncoder();

export async function readOpenInferenceRequest(
  request: Request,
  modelName: string,
  limits: Limits,
): Promise<OpenInferenceRequest> {
  const headerLength = request.headers.get(HEADER_LENGTH_HEADER);
  const mediaType = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  const isBinary = mediaType === 'application/octet-stream' && headerLength !== null;
  // The protocol's own clients name no type for JSON.
  if (mediaType !== undefined && mediaType !== 'application/json' && !isBinary)
    throw new GatewayError(
      'unsupported_media_type',
      'Send application/json, or application/octet-stream with Inference-Header-Content-Length.',
    );
  refuseEncoded(request);
  const { json, binary } = asCallersFaultOf(await readBody(request, limits.max_body_bytes), headerLength);
  const parsed = bodySchema.safeParse(parseJson(json));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issuePath(issue?.path ?? []);
    throw new GatewayError('invalid_request', `${field}: ${issue?.message ?? 'is not as the protocol says'}.`, {
      field,
    });
  }
  const { id, inputs, outputs } = parsed.data;
  const parameters = parsed.data.parameters ?? {};
  const requirements = Object.fromEntries(
    Object.entries(parameters).filter(([name, value]) => isRequirement(name, value)),
  );
  return {
    id: id ?? undefined,
    wire: parseWire({
      ...requirementsFromHeaders(request.headers),
      ...requirements,
      model_name: modelName,
      input_data: inputs,
    }),
    tensors: asCallersFault(() => readTensors(inputs, binary, 'inputs', (text) => encoder.encode(text))),
    outputs:
      outputs === undefined || outputs === null || outputs.length === 0
        ? undefined
        : new Map(outputs.map((output) => [output.name, output.parameters?.['binary_data'] === true])),
    binaryByDefault: parameters['binary_data_output'] === true,
  };
}

/** A server of the protocol may know a `priority` of its own, a number: that is not ours. */
function isRequirement(name: string, value: unknown): boolean {
  return REQUIREMENT_FIELDS.includes(name) && !(name === 'priority' && typeof value === 'number');
}

function asCallersFaultOf(body: Uint8Array, headerLength: string | null): ReturnType<typeof splitBody> {
  return asCallersFault(() => splitBody(body, headerLength));
}
