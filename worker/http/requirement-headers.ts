/**
 * Requirements for protocols whose body has no room for them: one header each, in the native contract's words.
 */
import type { WireInferRequest } from '../../shared/schema/infer-request.ts';

type Requirement = Exclude<keyof WireInferRequest, 'model_name' | 'input_data'>;

const HEADER_OF = {
  latency_requirement: 'x-latency-requirement',
  model_complexity: 'x-model-complexity',
  priority: 'x-priority',
  min_accuracy: 'x-min-accuracy',
  max_cost_usd: 'x-max-cost-usd',
  placement: 'x-placement',
  variant: 'x-variant',
  cache: 'x-cache-mode',
  explain: 'x-explain',
} as const satisfies Partial<Record<Requirement, string>>;

const NUMBERS: ReadonlySet<string> = new Set(['latency_requirement', 'min_accuracy', 'max_cost_usd']);

/** Not yet checked: what stands in the headers, numbers as numbers. */
export function requirementsFromHeaders(headers: Headers): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [field, header] of Object.entries(HEADER_OF)) {
    const text = headers.get(header);
    if (text === null) continue;
    if (NUMBERS.has(field)) fields[field] = text.trim() === '' ? Number.NaN : Number(text);
    else fields[field] = field === 'explain' ? text === 'true' : text;
  }
  return fields;
}

/** Fields a protocol's own extension object may carry. */
export const REQUIREMENT_FIELDS: readonly string[] = Object.keys(HEADER_OF);
