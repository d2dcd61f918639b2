/** What option values may be; commander shows the refusal beside the option's name. */
import { InvalidArgumentError } from 'commander';

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It is not a whole number above 0.');
  return count;
}

export function parseRatio(text: string): number {
  const ratio = Number(text);
  if (text.trim() === '' || !(ratio >= 0 && ratio <= 1)) throw new InvalidArgumentError('It is not from 0 to 1.');
  return ratio;
}

export function parseMs(text: string): number {
  const ms = Number(text);
  if (text.trim() === '' || !(ms >= 0)) throw new InvalidArgumentError('It is not a number of milliseconds.');
  return ms;
}

/** For options that may be repeated. */
export function collect<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}
