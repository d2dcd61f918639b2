/**
 * The simulate command's option values: from text to what a scenario takes. Owns each form and what is said of a wrong one.
 */
import { InvalidArgumentError } from 'commander';
import { firstRegions } from './geography.ts';
import type { SlowReplica } from './fleets.ts';
import type { Bursts } from './trace.ts';
import type { StatedLatency } from './workload.ts';
import type { Outage } from './world.ts';

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return count;
}

export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff)
    throw new InvalidArgumentError('It must be a whole number from 0 to 4294967295.');
  return seed;
}

export function parseRatio(text: string): number {
  const ratio = Number(text);
  if (text === '' || !(ratio >= 0 && ratio <= 1)) throw new InvalidArgumentError('It must be from 0 to 1.');
  return ratio;
}

export function parseExponent(text: string): number {
  const exponent = Number(text);
  if (text === '' || !(exponent >= 0 && exponent <= 5)) throw new InvalidArgumentError('It must be from 0 to 5.');
  return exponent;
}

export function parseRegions(text: string): readonly string[] {
  if (!/^\d+$/.test(text)) return text.split(',').map((name) => name.trim());
  const regions = firstRegions(Number(text));
  if (regions.length === 0 || regions.length < Number(text))
    throw new InvalidArgumentError('It must be names, or a number from 1 to 21.');
  return regions;
}

export function parseBursts(text: string): Bursts {
  const [count = 0, factor = 0, seconds = 0, ...rest] = text.split('x').map(Number);
  if (rest.length > 0 || !(Number.isInteger(count) && count > 0 && factor > 1 && seconds > 0))
    throw new InvalidArgumentError('It must be like 3x10x20: three times, tenfold, for 20 s.');
  return { count, factor, lengthMs: 1000 * seconds };
}

export function parseLatencies(text: string): readonly StatedLatency[] {
  const stated = text.split(',').map((part) => {
    const [ms = Number.NaN, share = Number.NaN, ...rest] = part.split(':').map(Number);
    return rest.length === 0 && ms > 0 && share > 0 ? { ms, share } : undefined;
  });
  const valid = stated.filter((one) => one !== undefined);
  if (valid.length < stated.length || valid.reduce((sum, { share }) => sum + share, 0) > 1.000_001)
    throw new InvalidArgumentError('It must be like 200:0.25,1000:0.5: milliseconds and shares of at most 1 in all.');
  return valid;
}

export function parseOutage(text: string, before: readonly Outage[]): readonly Outage[] {
  const found = /^([a-z0-9-]+):(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?::(hang|refuse))?$/.exec(text);
  const [, region = '', from = '', to = '', how = 'hang'] = found ?? [];
  if (found === null || !(Number(to) > Number(from)))
    throw new InvalidArgumentError('It must be like us-east-1:600-1200 or us-east-1:600-1200:refuse, in seconds.');
  return [
    ...before,
    { region, fromMs: 1000 * Number(from), toMs: 1000 * Number(to), how: how === 'refuse' ? 'refuse' : 'hang' },
  ];
}

export function parseAccept(text: string): Readonly<Record<string, number>> {
  const pairs = text.split(',').map((part): [string, number] => {
    const [variant = '', value = ''] = part.split('=');
    if (variant === '' || value === '' || !(Number(value) >= 0 && Number(value) <= 2))
      throw new InvalidArgumentError('It must be like micro=0.9,base=0.5; above 1 leaves the step out.');
    return [variant, Number(value)];
  });
  return Object.fromEntries(pairs);
}

export function parseSlow(text: string): SlowReplica {
  const [oneIn = 0, factor = 0, ...rest] = text.split('x').map(Number);
  if (rest.length > 0 || !(Number.isInteger(oneIn) && oneIn > 1 && factor > 1))
    throw new InvalidArgumentError('It must be like 20x50: one replica in twenty, fifty times slower.');
  return { oneIn, factor };
}
