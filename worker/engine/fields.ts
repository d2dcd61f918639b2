// Owns strict reading of the header's JSON: each field is asked for by type, and fields nobody asked for are refused.

import { ModelFormatError } from './errors.ts';

export class Fields {
  readonly path: string;
  readonly #values: Map<string, unknown>;
  readonly #asked = new Set<string>();

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ModelFormatError(`${path} is not an object`);
    }
    this.path = path;
    this.#values = new Map(Object.entries(value));
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  raw(key: string): unknown {
    this.#asked.add(key);
    const value = this.#values.get(key);
    if (value === undefined) throw this.refuse(key, 'is missing');
    return value;
  }

  string(key: string, maxChars = 100): string {
    const value = this.raw(key);
    if (typeof value !== 'string' || value.length === 0 || value.length > maxChars) {
      throw this.refuse(key, `is not a string of 1 to ${maxChars} characters`);
    }
    return value;
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.raw(key);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw this.refuse(key, `is not one of ${allowed.join(', ')}`);
    return found;
  }

  boolean(key: string): boolean {
    const value = this.raw(key);
    if (typeof value !== 'boolean') throw this.refuse(key, 'is not true or false');
    return value;
  }

  integer(key: string, min: number, max: number): number {
    const value = this.raw(key);
    if (!isIntegerIn(value, min, max)) throw this.refuse(key, `is not an integer from ${min} to ${max}`);
    return value;
  }

  number(key: string, min: number, max: number): number {
    const value = this.raw(key);
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.refuse(key, `is not a number from ${min} to ${max}`);
    }
    return value;
  }

  integers(key: string, minLength: number, maxLength: number, min: number, max: number): number[] {
    return this.list(key, minLength, maxLength).map((value) => {
      if (!isIntegerIn(value, min, max))
        throw this.refuse(key, `holds something else than integers from ${min} to ${max}`);
      return value;
    });
  }

  list(key: string, minLength: number, maxLength: number): unknown[] {
    const value = this.raw(key);
    if (!Array.isArray(value) || value.length < minLength || value.length > maxLength) {
      throw this.refuse(key, `is not a list of ${minLength} to ${maxLength}`);
    }
    return value;
  }

  object(key: string): Fields {
    return new Fields(this.raw(key), `${this.path}.${key}`);
  }

  /** Entries of an object whose keys are names, not known fields. */
  entries(max: number): [string, Fields][] {
    if (this.#values.size > max) throw new ModelFormatError(`${this.path} has more than ${max} entries`);
    return [...this.#values].map(([key, value]) => [key, new Fields(value, `${this.path}.${key}`)]);
  }

  /** Call when every known field has been read. */
  done(): void {
    for (const key of this.#values.keys()) {
      if (!this.#asked.has(key)) throw this.refuse(key, 'is not a known field');
    }
  }

  refuse(key: string, problem: string): ModelFormatError {
    return new ModelFormatError(`${this.path}.${key} ${problem}`);
  }
}

function isIntegerIn(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}
