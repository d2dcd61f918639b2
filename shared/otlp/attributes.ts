/**
 * OTLP's JSON form of attributes and times. Pure.
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: 64-bit numbers are texts.
 */
export type OtlpAttribute = {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly intValue: string }
    | { readonly doubleValue: number }
    | { readonly boolValue: boolean };
};

export function attributes(values: Readonly<Record<string, string | number | boolean | null>>): OtlpAttribute[] {
  return Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [{ key, value: valueOf(value) }]));
}

function valueOf(value: string | number | boolean): OtlpAttribute['value'] {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Nanoseconds since the epoch as text: they do not fit a number. */
export function unixNano(ms: number): string {
  return (BigInt(Math.round(ms * 1_000)) * 1_000n).toString();
}

export function resourceOf(service: {
  readonly name: string;
  readonly environment: string;
  readonly instance: string;
}): { readonly attributes: OtlpAttribute[] } {
  return {
    attributes: attributes({
      'service.name': service.name,
      'service.instance.id': service.instance,
      'deployment.environment.name': service.environment,
    }),
  };
}

export const SCOPE = { name: 'hybrid-inference' };
