/** What is wrong with a configuration, and where. Owns the form, and the one check that every list needs. */

export type ConfigProblem = {
  /** Path of the field, such as `routes[0].policy.steps[1].variant`. */
  readonly path: string;
  readonly message: string;
};

export function duplicates<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  list: string,
  field: string,
): ConfigProblem[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: `${list}[${index}].${field}`, message: `is used twice: ${key}` }];
  });
}
