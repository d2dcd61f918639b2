/**
 * What differs between two configurations, field by field. Lists of named things (models, targets, routes, keys, variants)
 * are compared by name, so that a new first target is one addition and not a change of every other. Pure.
 */

export type Change =
  | { readonly kind: 'added'; readonly path: string; readonly to: unknown }
  | { readonly kind: 'removed'; readonly path: string; readonly from: unknown }
  | { readonly kind: 'changed'; readonly path: string; readonly from: unknown; readonly to: unknown };

/** Fields that together name an element of a list, in the order they are tried. */
const NAMINGS: readonly (readonly string[])[] = [['id'], ['name'], ['model', 'variant'], ['variant'], ['shortcut']];

/** Empty where they are the same. In the order of the newer one; what was removed comes last within its parent. */
export function diffConfigs(before: unknown, after: unknown): readonly Change[] {
  return diff(before, after, '');
}

function diff(before: unknown, after: unknown, path: string): Change[] {
  if (Object.is(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path);
  if (isRecord(before) && isRecord(after)) return diffEntries(new Map(Object.entries(before)), after, path);
  return [{ kind: 'changed', path: path === '' ? '(document)' : path, from: before, to: after }];
}

function diffEntries(before: ReadonlyMap<string, unknown>, after: Record<string, unknown>, path: string): Change[] {
  return diffMaps(before, new Map(Object.entries(after)), (key) => (path === '' ? key : `${path}.${key}`));
}

function diffLists(before: readonly unknown[], after: readonly unknown[], path: string): Change[] {
  const naming = NAMINGS.find((fields) => isNamedBy(before, fields) && isNamedBy(after, fields));
  if (naming !== undefined) {
    const changes = diffMaps(byName(before, naming), byName(after, naming), (name) => `${path}[${name}]`);
    const order = orderChange(before, after, naming, path);
    return order === undefined ? changes : [...changes, order];
  }
  // Lists of plain values (labels) change as a whole: an index says nothing to a reader.
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ kind: 'changed', path, from: before, to: after }];
}

/** Order can matter (steps of a cascade), so a list with the same members in another order is a change. */
function orderChange(
  before: readonly unknown[],
  after: readonly unknown[],
  naming: readonly string[],
  path: string,
): Change | undefined {
  const [from, to] = [[...byName(before, naming).keys()], [...byName(after, naming).keys()]];
  const kept = from.filter((name) => to.includes(name));
  const keptNow = to.filter((name) => from.includes(name));
  if (kept.join('\n') === keptNow.join('\n')) return undefined;
  return { kind: 'changed', path: `${path}.order`, from, to };
}

function diffMaps(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  pathOf: (key: string) => string,
): Change[] {
  const changes: Change[] = [];
  for (const [key, to] of after) {
    if (before.has(key)) changes.push(...diff(before.get(key), to, pathOf(key)));
    else changes.push({ kind: 'added', path: pathOf(key), to });
  }
  for (const [key, from] of before) {
    if (!after.has(key)) changes.push({ kind: 'removed', path: pathOf(key), from });
  }
  return changes;
}

/** Whether each element has the fields as texts, and no two the same. */
function isNamedBy(list: readonly unknown[], fields: readonly string[]): boolean {
  const names = list.map((element) => nameOf(element, fields));
  return !names.includes(undefined) && new Set(names).size === names.length;
}

function byName(list: readonly unknown[], fields: readonly string[]): ReadonlyMap<string, unknown> {
  return new Map(list.map((element) => [nameOf(element, fields) ?? '', element]));
}

function nameOf(element: unknown, fields: readonly string[]): string | undefined {
  if (!isRecord(element)) return undefined;
  const parts = fields.map((field) => element[field]);
  return parts.every((part) => typeof part === 'string') ? parts.join('/') : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
