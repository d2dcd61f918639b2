/**
 * A worker secret by its name: those that the configuration names are not known beforehand, so they are read as they are
 * asked for.
 */
export function secretFrom(bindings: unknown, name: string): string | undefined {
  if (typeof bindings !== 'object' || bindings === null) return undefined;
  const value: unknown = Reflect.get(bindings, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
