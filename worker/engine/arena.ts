// Owns the layout of one model's memory: constants first, then scratch. Nothing is allocated after the fill.

import { ModelFormatError } from './errors.ts';
import type { Kernels } from './kernels.ts';

const ALIGNMENT = 64;
/** The start is left free, so that offset 0 can mean "none". */
const FIRST_OFFSET = 1024;
/** A worker's isolate has 128 MB for everything. */
const MAX_ARENA_BYTES = 96 * 1024 * 1024;

type Target = { readonly bytes: Uint8Array; readonly kernels: Kernels };

export class Arena {
  #sizeBytes = FIRST_OFFSET;
  readonly #fills: ((target: Target) => void)[] = [];
  readonly #placed = new Map<string, number>();
  /** Scratch that steps use one after another: as large as the largest asks, laid out at the end. */
  readonly #shared = new Map<string, { sizeBytes: number; offset: number }>();

  /** Room for scratch; returns its byte offset. */
  reserve(sizeBytes: number): number {
    const offset = this.#sizeBytes;
    this.#sizeBytes = Math.ceil((offset + sizeBytes) / ALIGNMENT) * ALIGNMENT;
    if (this.#sizeBytes > MAX_ARENA_BYTES) throw new ModelFormatError('needs more memory than an isolate may give it');
    return offset;
  }

  /** Room for constants, written by `fill`; the same key shares one copy. */
  place(key: string, sizeBytes: number, values: () => Int8Array | Int32Array | Float32Array): number {
    return this.placeBy(key, sizeBytes, ({ bytes }, offset) => {
      const source = values();
      bytes.set(new Uint8Array(source.buffer, source.byteOffset, source.byteLength), offset);
    });
  }

  /** The same, where the kernels write: in the first milliseconds of an isolate they are far faster than JavaScript. */
  placeBy(key: string, sizeBytes: number, write: (target: Target, offset: number) => void): number {
    const known = this.#placed.get(key);
    if (known !== undefined) return known;
    const offset = this.reserve(sizeBytes);
    this.#placed.set(key, offset);
    this.#fills.push((target) => write(target, offset));
    return offset;
  }

  /** Scratch under a name, valid during one step; its offset is known once `settle` was called. */
  shared(name: string, sizeBytes: number): () => number {
    const scratch = this.#shared.get(name) ?? { sizeBytes: 0, offset: 0 };
    scratch.sizeBytes = Math.max(scratch.sizeBytes, sizeBytes);
    this.#shared.set(name, scratch);
    return () => scratch.offset;
  }

  /** Call when every step has asked for what it needs. */
  settle(): void {
    for (const scratch of this.#shared.values()) scratch.offset = this.reserve(scratch.sizeBytes);
    this.#shared.clear();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  fill(memory: ArrayBuffer, kernels: Kernels): void {
    const target = { bytes: new Uint8Array(memory), kernels };
    for (const fill of this.#fills) fill(target);
    this.#fills.length = 0;
  }
}
