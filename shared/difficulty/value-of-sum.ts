/** What written arithmetic comes to: decimals, the four operations, brackets. Nothing else is read, and nothing is run. */

/** Of a sum of products with brackets; nothing where it is none. */
export function valueOfSum(expression: string): number | undefined {
  const tokens = expression.match(/\d+\.?\d*|\.\d+|[-+*/()]/g) ?? [];
  if (tokens.join('') !== expression) return undefined;
  let at = 0;
  const atom = (): number => {
    const token = tokens[at];
    at += 1;
    if (token === '-') return -atom();
    if (token !== '(') return Number(token ?? Number.NaN);
    const inner = sum();
    return tokens[at++] === ')' ? inner : Number.NaN;
  };
  const product = (): number => {
    let value = atom();
    while (tokens[at] === '*' || tokens[at] === '/') value = tokens[at++] === '*' ? value * atom() : value / atom();
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (tokens[at] === '+' || tokens[at] === '-')
      value = tokens[at++] === '+' ? value + product() : value - product();
    return value;
  };
  const value = sum();
  return at === tokens.length && Number.isFinite(value) ? value : undefined;
}
