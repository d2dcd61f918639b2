/**
 * Wire words (`cost_usd`) in GraphQL's form (`costUsd`), all the way down. Values are left alone.
 */
export function camelCaseFields(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      camelCase(value),
    ]),
  );
}

function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return camelCaseFields(value);
}
