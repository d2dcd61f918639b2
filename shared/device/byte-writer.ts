/**
 * The other direction of byte-reader.ts: appends fields to a buffer that grows. Values out of a field's range are a
 * programming error and throw RangeError.
 */

export class ByteWriter {
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, within(value, 0, 0xff));
    return this;
  }
  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, within(value, 0, 0xffff), true);
    return this;
  }
  i16(value: number): this {
    const at = this.#grow(2);
    this.#view.setInt16(at, within(value, -0x8000, 0x7fff), true);
    return this;
  }
  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, within(value, 0, 0xffffffff), true);
    return this;
  }
  f32(value: number): this {
    if (!Number.isFinite(Math.fround(value))) throw new RangeError('not a finite number');
    const at = this.#grow(4);
    this.#view.setFloat32(at, value, true);
    return this;
  }
  bytes(values: Uint8Array): this {
    const at = this.#grow(values.length);
    this.#bytes.set(values, at);
    return this;
  }
  text(value: string, maxLength: number): this {
    if (value.length > maxLength) throw new RangeError(`a text of ${value.length} characters, ${maxLength} allowed`);
    this.u8(value.length);
    for (let index = 0; index < value.length; index += 1) this.u8(within(value.charCodeAt(index), 0x20, 0x7e));
    return this;
  }

  /** What was written, as memory of its own. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(count: number): number {
    const from = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return from;
  }
}

function within(value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${value} is not a whole number from ${least} to ${most}`);
  }
  return value;
}
